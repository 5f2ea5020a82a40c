"""Finding the run that an unanswered submit may have started."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from comfynb.rules.timestamps import parse_time

__all__ = ["match_submits", "same_inputs"]

_DATA_URI: Final = re.compile(r"data:image/(?:png|jpe?g);base64,")
_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_UNKNOWN: Final = object()


def match_submits(
    rows: Sequence[Mapping[str, Any]],
    *,
    version_id: str | None,
    deployment_id: str | None,
    inputs: Mapping[str, Any],
    machine_id: str | None,
    not_before: datetime,
    not_after: datetime | None = None,
    known_ids: set[str],
) -> tuple[str, ...]:
    """Return the ids of the runs that a submit may have started, newest first.

    Parameters
    ----------
    rows : sequence of mapping
        Runs as `GET /workflow/{id}/runs` lists them.
    version_id, machine_id : str or None
        What was submitted; None if it was not part of the request, and then any fits.
    deployment_id : str or None
        The deployment that was submitted to. None means that it was none, and then a run of one does not fit.
    inputs : mapping
        The inputs as they were sent.
    not_before : datetime
        Aware; the earliest time, by the server's clock, at which the run can have been created.
    not_after : datetime, optional
        Aware; the latest.
    known_ids : set of str
        Runs that were there before, or that are known to come from other submits.

    Returns
    -------
    tuple of str
        Ids. A row that lacks a field is not ruled out by it.
    """
    found: dict[str, datetime] = {}
    for row in rows:
        run_id = row.get("id") if isinstance(row, Mapping) else None
        if not isinstance(run_id, str) or not run_id or run_id in known_ids or run_id in found:
            continue
        created = parse_time(row.get("created_at"))
        sent = row.get("workflow_inputs", _UNKNOWN)
        if (
            (created is None or not_before <= created <= (not_after or created))
            and _fits(row, "workflow_version_id", version_id)
            and _fits(row, "machine_id", machine_id)
            and row.get("deployment_id", deployment_id) == deployment_id
            and (sent is _UNKNOWN or same_inputs(inputs, sent if sent is not None else {}))
        ):
            found[run_id] = created or not_before
    return tuple(sorted(found, key=lambda run_id: found[run_id], reverse=True))


def same_inputs(sent: object, stored: object) -> bool:
    """Whether stored inputs are what became of the sent ones.

    The server replaces the data URI of a picture by a URL, and a number may change between int and float. True and
    1 are different.

    Examples
    --------
    >>> same_inputs({"steps": 20, "image": "data:image/png;base64,AA=="}, {"steps": 20.0, "image": "https://x/y.png"})
    True
    >>> same_inputs({"hires": True}, {"hires": 1})
    False
    """
    if isinstance(sent, Mapping):
        return (
            isinstance(stored, Mapping)
            and sent.keys() == stored.keys()
            and all(same_inputs(value, stored[name]) for name, value in sent.items())
        )
    if isinstance(sent, list | tuple):
        return (
            isinstance(stored, list | tuple)
            and len(sent) == len(stored)
            and all(same_inputs(one, other) for one, other in zip(sent, stored, strict=True))
        )
    if isinstance(sent, bool) or isinstance(stored, bool):
        return sent is stored
    if sent == stored:
        return True
    return isinstance(sent, str) and isinstance(stored, str) and bool(_DATA_URI.match(sent) and _URL.match(stored))


def _fits(row: Mapping[str, Any], key: str, wanted: str | None) -> bool:
    return wanted is None or row.get(key, wanted) == wanted
