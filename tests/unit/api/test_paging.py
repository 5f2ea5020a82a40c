"""Lists come whole, whatever their length, also while they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from faults import RawServer, Request, json_answer, run, transport_to

from comfynb.api.client import ComfyDeployClient
from comfynb.api.machine_calls import MACHINE_PAGE
from comfynb.api.run_calls import RUN_PAGE
from comfynb.api.workflow_calls import VERSION_PAGE, WORKFLOW_PAGE
from comfynb.sandbox import Sandbox
from comfynb.warnings import SchemaDriftWarning


class Rows:
    """A server with one list, which a function may change before each answer."""

    def __init__(self, ids: list[str], change: Callable[[list[str], int], None] | None = None) -> None:
        self.ids = ids
        self.change = change
        self.asked: list[tuple[int, int]] = []

    def __call__(self, request: Request) -> bytes:
        query = parse_qs(urlsplit(request.target).query)
        size, offset = int(query["limit"][0]), int(query["offset"][0])
        if self.change is not None:
            self.change(self.ids, len(self.asked))
        self.asked.append((size, offset))
        return json_answer([{"id": each, "name": each} for each in self.ids[offset : offset + size]])


def names(count: int) -> list[str]:
    """Return that many ids."""
    return [f"w{number}" for number in range(count)]


def read(rows: Rows) -> list[str]:
    """Return the ids of what a client reads of a list."""
    with RawServer(rows) as server:
        client = ComfyDeployClient(transport_to(server.url))
        return [row.id for row in run(client, client.workflows())]


@pytest.mark.parametrize("count", [0, 1, WORKFLOW_PAGE - 1, WORKFLOW_PAGE, WORKFLOW_PAGE + 1, 3 * WORKFLOW_PAGE])
def test_a_list_of_any_length_is_read_whole_and_in_order(count: int) -> None:
    """None, one, a page, and one more or less than a page."""
    rows = Rows(names(count))
    assert read(rows) == names(count)
    assert len(rows.asked) == count // WORKFLOW_PAGE + 1


def test_a_row_that_moves_to_the_front_while_being_read_is_not_missed() -> None:
    """Rows are sorted by their last change; one that changes jumps over the place that is read next."""

    def touch_the_last(ids: list[str], answered: int) -> None:
        if answered == 1:
            ids.insert(0, ids.pop())

    found = read(Rows(names(450), touch_the_last))
    assert sorted(found) == sorted(names(450))
    assert found[0] == "w449"


def test_a_row_that_is_made_while_being_read_is_there_once() -> None:
    """It shifts all the others by one place."""

    def add(ids: list[str], answered: int) -> None:
        if answered == 1:
            ids.insert(0, "new")

    found = read(Rows(names(300), add))
    assert found == ["new", *names(300)]


def test_a_list_that_never_rests_is_read_three_times_at_most() -> None:
    """Nothing that was seen is lost, and the reading ends."""

    def add(ids: list[str], answered: int) -> None:
        ids.insert(0, f"new{answered}")

    rows = Rows(names(450), add)
    found = read(rows)
    assert set(names(450)) <= set(found)
    assert len(found) == len(set(found))
    assert sum(offset == 0 for _, offset in rows.asked) == 3


def test_a_row_that_is_deleted_while_being_read_shifts_no_other_out() -> None:
    """The rows behind it move up over the place that is read next; all that were seen are given."""

    def delete(ids: list[str], answered: int) -> None:
        if answered == 1:
            del ids[0]

    found = read(Rows(names(250), delete))
    assert len(found) >= 249


def test_a_server_that_does_not_page_does_not_hold_the_client_for_ever() -> None:
    """It sends the same long list for every offset: that is taken as the end."""
    everything = json_answer([{"id": each} for each in names(WORKFLOW_PAGE)])
    with RawServer(lambda _: everything) as server:
        client = ComfyDeployClient(transport_to(server.url))
        assert len(run(client, client.workflows())) == WORKFLOW_PAGE
        assert len(server.requests) <= 6


def test_a_server_that_sends_more_than_asked_for_is_taken_at_its_word() -> None:
    """One that ignores the size but heeds the offset."""

    def respond(request: Request) -> bytes:
        offset = int(parse_qs(urlsplit(request.target).query)["offset"][0])
        return json_answer([{"id": each} for each in names(500)[offset:]])

    with RawServer(respond) as server:
        client = ComfyDeployClient(transport_to(server.url))
        assert len(run(client, client.workflows())) == 500


def test_rows_without_an_id_are_rows_all_the_same() -> None:
    """They are not taken for one another."""
    rows: list[dict[str, Any]] = [{"name": "a"}, {"name": "b", "id": None}, {"name": "c", "id": []}]
    with RawServer(lambda _: json_answer(rows)) as server:
        client = ComfyDeployClient(transport_to(server.url))
        with pytest.warns(SchemaDriftWarning, match="Workflow.id"):
            found = run(client, client.workflows())
    assert [row.name for row in found] == ["a", "b", "c"]


@pytest.mark.parametrize(("limit", "sizes"), [(0, []), (1, [1]), (RUN_PAGE, [100]), (RUN_PAGE + 30, [100, 30])])
def test_a_limit_asks_for_no_more_than_it_says(limit: int, sizes: list[int]) -> None:
    """Runs are kilobytes each: no row is read that nobody wants."""
    rows = Rows(names(500))
    with RawServer(rows) as server:
        client = ComfyDeployClient(transport_to(server.url))
        assert [row.id for row in run(client, client.workflow_runs("w", limit=limit))] == names(limit)
    assert [size for size, _ in rows.asked] == sizes


def test_a_limit_holds_while_runs_are_being_made() -> None:
    """The newest come first, and no more than asked for."""

    def add(ids: list[str], answered: int) -> None:
        if answered == 1:
            ids[:0] = ["new2", "new1"]

    rows = Rows(names(300), add)
    with RawServer(rows) as server:
        client = ComfyDeployClient(transport_to(server.url))
        found = [row.id for row in run(client, client.workflow_runs("w", limit=150))]
    assert found == ["new2", "new1", *names(148)]


def test_every_list_of_the_client_asks_in_pages() -> None:
    """The page sizes are those that are declared."""
    rows = Rows([])
    with RawServer(rows) as server:
        client = ComfyDeployClient(transport_to(server.url))

        async def lists() -> None:
            await client.workflows(search="x")
            await client.machines()
            await client.versions("w")
            await client.workflow_runs_v2("w", status="failed", deployment_id="d")

        run(client, lists())
        assert [size for size, _ in rows.asked] == [WORKFLOW_PAGE, MACHINE_PAGE, VERSION_PAGE, RUN_PAGE]
        assert "status=failed&deployment_id=d" in server.requests[-1].target


def test_the_history_of_the_sandbox_is_read_over_several_pages(sandbox: Sandbox) -> None:
    """On a whole server: all runs of the busiest workflow, newest first."""
    client = ComfyDeployClient(transport_to(sandbox.url, sandbox.api_key))
    workflow_id, made = max(sandbox.world.runs_of.items(), key=lambda item: len(item[1]))
    found = run(client, client.workflow_runs(workflow_id, limit=1000))
    assert [row.id for row in found] == [each.id for each in reversed(made)]
    times = [row.created_at for row in found]
    assert times == sorted(times, key=str, reverse=True)
