"""The tables of what a connection counts, and of its health."""

from __future__ import annotations

from typing import Final

from comfynb.frames.table import Column, Table

__all__ = ["MEASURED"]

_METRICS = Table(
    "metrics",
    (
        Column("route", "str", "method and path of the call"),
        Column("calls", "Int64", "calls that are over, each with all its tries", "calls"),
        Column("errors", "Int64", "those that ended with a status of 400 or above, or without an answer", "calls"),
        Column("unanswered", "Int64", "those without an answer", "calls"),
        Column("retries", "Int64", "how often a call was tried again", "tries"),
        Column("waited_seconds", "Float64", "between the tries, all calls together", "seconds"),
        Column("median_seconds", "Float64", "of a call without those waits, as its histogram tells", "seconds"),
        Column("p95_seconds", "Float64", "the 95th percentile of that", "seconds"),
        Column("received_bytes", "Int64", "of the answers, all calls together", "bytes"),
        Column("statuses", "object", 'pairs (status, number of calls), sorted; "none" is no answer'),
    ),
    "one row per route that was called, those with most calls first.",
)

_METRICS_RUNS = Table(
    "metrics_runs",
    (
        Column("name", "str", "name of the workflow"),
        Column("machine", "str", "name of the machine, or its id where that is not known"),
        Column("runs", "Int64", "runs that were seen to end", "runs"),
        Column("succeeded", "Int64", "those that ended well", "runs"),
        Column("success_rate", "Float64", "the share of those, 0 to 1"),
        Column("queue_seconds", "Float64", "median wait for a machine; NA on classic machines", "seconds"),
        Column("cold_start_seconds", "Float64", "median start of the machine, of cold starts only", "seconds"),
        Column("run_seconds", "Float64", "median of the execution; NA on classic machines", "seconds"),
        Column("median_seconds", "Float64", "median from creation to end", "seconds"),
        Column("p95_seconds", "Float64", "the 95th percentile of that", "seconds"),
        Column("statuses", "object", "pairs (status, number of runs), sorted"),
    ),
    "one row per workflow and machine whose runs this connection saw end.",
)

_METRICS_COUNTS = Table(
    "metrics_counts",
    (
        Column("kind", "str", "cache or webhook"),
        Column("what", "str", "hit, miss, …; what became of a webhook"),
        Column("number", "Int64", "how often", "times"),
    ),
    "one row per result of a look into the cache, and per outcome of a webhook.",
)

_HEALTH = Table(
    "health",
    (
        Column("check", "str", "what was looked at: server, key, latency, requests, machine …, runs, cache, …"),
        Column("state", "str", "ok, warn or bad"),
        Column("seen", "str", "what was seen"),
        Column("advice", "str", "what to do; empty where there is nothing to do"),
    ),
    "one row per check.",
)

MEASURED: Final = (_METRICS, _METRICS_RUNS, _METRICS_COUNTS, _HEALTH)
"""All of them."""
