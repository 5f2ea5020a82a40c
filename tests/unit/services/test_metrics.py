"""What is counted: each call, look and run once, by labels that stay few."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
from faults import KEY, RawServer, json_answer, run, transport_to
from prometheus_client.parser import text_string_to_metric_families

from comfynb.api import routes
from comfynb.api.transport import Call
from comfynb.services.cache import Cache
from comfynb.services.metrics import EndedRun, Metrics


def series(text: str) -> dict[tuple[str, ...], float]:
    """Return what Prometheus reads: names, and labels in the order of their names, with their values."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_calls_are_told_by_route_with_their_errors_and_seconds() -> None:
    """Calls without an answer are errors, too, and the waits between tries are no latency."""
    metrics = Metrics()
    for call in (
        Call("GET /machines", 200, 0.015, 0, 100),
        Call("GET /machines", 200, 3.015, 2, 50, waited=3.0),
        Call("GET /machines", 503, 0.015, 0, 0),
        Call("GET /machines", None, 0.015, 1, 0, waited=0.0),
        Call("GET /run/{run_id}", 404, 0.5, 0, 9),
    ):
        metrics.called(call)
    first, second = metrics.routes()
    assert (first.route, first.calls, first.errors, first.unanswered) == ("GET /machines", 4, 2, 1)
    assert (first.retries, first.waited, first.received) == (3, 3.0, 150)
    assert first.statuses == (("200", 2), ("503", 1), ("none", 1))
    assert first.median is not None
    assert 0.01 <= first.median <= 0.02
    assert first.p95 is not None
    assert first.p95 <= 0.02
    assert (second.calls, second.errors) == (1, 1)
    assert metrics.recent() == (2, 5)
    assert [round(each, 6) for each in metrics.latencies()["GET /machines"]] == [0.015, 0.015]


def test_retries_and_waits_come_from_the_transport() -> None:
    """As they happened on a connection that was told to wait."""
    steps = [json_answer({}, 429, retry_after="0"), json_answer({}, 503), json_answer([])]
    calls: list[Call] = []
    with RawServer(lambda _: steps.pop(0)) as server:
        transport, metrics = transport_to(server.url), Metrics()
        transport.hooks += [metrics.called, calls.append]
        run(transport, transport.send(routes.MACHINES))
    (figures,) = metrics.routes()
    assert (figures.calls, figures.retries, figures.statuses) == (1, 2, (("200", 1),))
    (call,) = calls
    assert figures.waited == call.waited
    assert 0.0 < call.waited < call.seconds
    assert KEY not in metrics.text()


def test_looks_into_the_cache_are_those_that_it_counts() -> None:
    """At the moment at which somebody looks."""
    cache = Cache()
    metrics = Metrics(cache=lambda: cache.counts)

    async def main() -> None:
        async def fetch() -> int:
            return 1

        for _ in range(3):
            await cache.get("key", fetch, ttl=60.0)

    asyncio.run(main())
    counts = {what: number for kind, what, number in metrics.counts() if kind == "cache" and number}
    assert counts == {"hit": 2, "miss": 1}
    assert series(metrics.text())["comfynb_cache_results_total", "hit"] == 2


def test_a_run_is_counted_once_however_often_its_end_is_told() -> None:
    """By workflow, machine and status; what the server does not tell is not made up."""
    metrics = Metrics()
    for number in range(6):
        metrics.ended(f"r{number // 2}", EndedRun("text2img", "gpu-1", "success", running=4.5, total=7.5))
    metrics.ended("r9", EndedRun("text2img", "gpu-1", "failed", total=7.5))
    (figures,) = metrics.runs()
    assert (figures.runs, figures.statuses) == (4, (("failed", 1), ("success", 3)))
    assert figures.queue is None
    assert figures.running is not None
    assert 4.0 <= figures.running <= 5.0


def test_labels_stay_few_and_short_whatever_things_are_called() -> None:
    """Names come from other people: beyond two hundred they are one."""
    metrics = Metrics(lambda: {f"outcome {number}": 1 for number in range(1000)})
    for number in range(1000):
        name = f"<script>\x1b[31m{number}" + "x" * 10_000
        metrics.ended(f"r{number}", EndedRun(name, f"gpu-{number}", f"s{number}", total=1.0))
        metrics.called(Call(f"GET /{number}", number, 0.1, 0, 1))
        metrics.unknown(f"the run status {number}")
    assert len(metrics.runs()) == 201
    assert metrics.runs()[-1].workflow == "other" or any(row.workflow == "other" for row in metrics.runs())
    assert sum(row.runs for row in metrics.runs()) == 1000
    assert len(metrics.routes()) == 201
    assert len(metrics.unknowns()) == 100
    text = metrics.text()
    assert series(text)["comfynb_webhooks_total", "other"] == 800
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 400


def test_nothing_is_lost_when_many_threads_count_and_look() -> None:
    """Also beyond the thousand that are only written down."""
    metrics = Metrics()

    def count(number: int) -> None:
        for _ in range(500):
            metrics.called(Call("GET /machines", 200, 0.1, 0, 1))
        metrics.routes()
        metrics.ended(f"r{number % 4}", EndedRun("w", "m", "success"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(8)))
    assert [row.calls for row in metrics.routes()] == [4000]
    assert [row.runs for row in metrics.runs()] == [4]


def test_what_waits_to_be_counted_does_not_grow() -> None:
    """Nobody may ever look."""
    metrics = Metrics()
    for _ in range(10_500):
        metrics.called(Call("GET /machines", 200, 0.1, 0, 1))
    assert len(metrics._events) < 1000


def test_prometheus_reads_all_of_it() -> None:
    """Webhooks among it, as their receiver counts them at that moment."""
    came = {"taken": 1}
    metrics = Metrics(lambda: came)
    metrics.called(Call("GET /machines", None, 0.1, 2, 5, waited=1.5))
    metrics.ended("r1", EndedRun('a "quoted"\nname', "gpu", "success", queue=1.0, cold_start=2.0, running=3.0))
    came["taken"] = 7
    found = series(metrics.text())
    assert found["comfynb_requests_total", "GET /machines", "none"] == 1
    assert found["comfynb_retries_total", "GET /machines"] == 2
    assert found["comfynb_waited_seconds_total", "GET /machines"] == 1.5
    assert found["comfynb_runs_total", "gpu", "success", 'a "quoted" name'] == 1
    assert found["comfynb_run_cold_start_seconds_sum", "gpu", 'a "quoted" name'] == 2.0
    assert found["comfynb_webhooks_total", "taken"] == 7
    assert metrics.counts() == [("webhook", "taken", 7)]


def test_it_answers_prometheus_as_an_application() -> None:
    """Over ASGI, always up to date, and each connection has its own numbers."""
    metrics, other = Metrics(), Metrics()

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(metrics.app), base_url="http://test") as client:
            return await client.get("/metrics")

    for number in (1, 2):
        metrics.called(Call("GET /machines", 200, 0.1, 0, 1))
        response = asyncio.run(ask())
        assert response.status_code == 200
        assert series(response.text)["comfynb_requests_total", "GET /machines", "200"] == number
    kind, body = metrics.page()
    assert kind.startswith("text/plain")
    assert b"comfynb_requests_total" in body
    assert other.routes() == []
