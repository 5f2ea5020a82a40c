"""Runs live in the sandbox as the recorded ones did: all that were submitted are submitted again, in their order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from comfynb.sandbox import Sandbox

from . import recorded
from .posted import Json, machine_answers
from .recorded import differences
from .replaying import Replay, replay
from .run_facts import graphs, runs_known
from .sequences import Life, by_comfyui, comparable, lives

WHERE = recorded.folder()
CONTENTS = recorded.load_all(WHERE) if WHERE else {}
REAL = by_comfyui(WHERE) if WHERE else frozenset()
GRAPHS = graphs(CONTENTS)
KNOWN = runs_known(CONTENTS)
LIVES = [life for life in lives(CONTENTS) if life.last["workflow_version_id"] in GRAPHS]

pytestmark = pytest.mark.skipif(not CONTENTS, reason="no recordings: COMFYNB_RECORDINGS names their folder")


def by_a_hair(life: Life) -> bool:
    """Whether it ended well only because an upload took some milliseconds longer than the last node.

    In the sandbox such an upload is always the first to be done, and then the run never ends.
    """
    machine = KNOWN[life.run_id].machine
    return machine is not None and machine.won_by_a_hair and life.last["status"] == "success"


every_life = pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)


@pytest.fixture(scope="module")
def replays() -> dict[str, Replay]:
    """Submit everything once; what became of it, by the recorded id of the run."""
    with Sandbox(speed=0) as sandbox:
        return replay(sandbox, KNOWN, GRAPHS, LIVES)


def once(statuses: list[str]) -> list[str]:
    """Return statuses in the order of their first coming: for a moment they may go back."""
    return list(dict.fromkeys(statuses))


@every_life
def test_the_statuses_come_in_the_recorded_order(life: Life, replays: dict[str, Replay]) -> None:
    """None more and none less, from where the recording begins."""
    ours = once([answer["status"] for answer in replays[life.run_id].answers])
    theirs = once(life.statuses)
    if KNOWN[life.run_id].refused:
        theirs = theirs[-1:]  # nobody knew of the run before its submit was answered
    same = ours[-len(theirs) :] == theirs
    assert same != by_a_hair(life), f"{ours} instead of {theirs}"


@pytest.mark.parametrize("life", [life for life in LIVES if life.whole], ids=lambda life: life.name)
def test_every_answer_is_made_as_the_recorded_one(life: Life, replays: dict[str, Replay]) -> None:
    """The same keys at every depth with the same types, nulls in the same places, in each of its states."""
    ours = replays[life.run_id].answers
    for answer in comparable(life, REAL):
        alike = [each for each in ours if state(each) == state(answer)]
        assert alike, f"none of ours is {state(answer)}"
        assert not min((differences(answer, each) for each in alike), key=len)


def state(answer: Json) -> tuple[Any, ...]:
    """Return what tells apart the states that an answer can be in: which of its values are null."""
    nulls = ("ended_at", "queued_at", "started_at", "duration", "run_duration", "cold_start_duration", "live_status")
    return (answer["status"], bool(answer["outputs"]), *(answer[name] is None for name in nulls))


@every_life
def test_the_end_is_the_recorded_one(life: Life, replays: dict[str, Replay]) -> None:
    """Outputs, end and times are there or not as they were; null stays null."""
    if by_a_hair(life):
        return
    ours, theirs = replays[life.run_id].last, life.last
    assert len(ours["outputs"]) == len(theirs["outputs"])
    names = ("ended_at", "duration", "queued_at", "started_at", "run_duration", "modal_function_call_id")
    names += ("cold_start_duration", "cold_start_duration_total", "machine_type")
    if life.whole:
        assert [name for name in names if (ours[name] is None) != (theirs[name] is None)] == []
    if replays[life.run_id].status == 200:
        assert (ours["live_status"] is None) == (theirs["live_status"] is None)
    assert ours["status"] == theirs["status"]


@pytest.mark.parametrize(
    "life",
    [life for life in LIVES if life.recording in REAL and not by_a_hair(life)],
    ids=lambda life: life.name,
)
def test_progress_and_outputs_end_as_on_a_real_machine(life: Life, replays: dict[str, Replay]) -> None:
    """Progress need not be 1 at a success, the last node's name stays, and each output says what made it."""
    ours, known = replays[life.run_id].last, KNOWN[life.run_id]
    theirs = (life.last["live_status"], life.last["progress"])
    if known.machine is not None and known.machine.executed:
        # Posts overtake each other, so that what was written last need not be the last node.
        name, share = known.machine.executed[-1]
        theirs = (f"Executing {name}", share)
    if stopped(life):
        assert 0 < ours["progress"] < 1
        return
    assert ours["progress"] == pytest.approx(theirs[1], abs=0.006)
    if ends(life) == 1:
        assert ours["live_status"] == theirs[0]
    assert Counter(map(made, ours["outputs"])) == Counter(map(made, known_outputs(life)))


def stopped(life: Life) -> bool:
    """Whether its machine was stopped somewhere on the way, which no graph tells."""
    return life.last["status"] == "running" and not life.outputs and life.last["progress"] < 0.99


def ends(life: Life) -> int:
    """Return how many nodes of its graph hand something over or show it; their order differs from start to start."""
    graph = GRAPHS[life.last["workflow_version_id"]]
    used = {value[0] for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)}
    return len(graph.keys() - used)


def known_outputs(life: Life) -> list[Json]:
    """Return what it had made, from the recording that says most of it."""
    fullest = [each for each in LIVES if each.run_id == life.run_id and all(row["node_meta"] for row in each.outputs)]
    return (fullest or [life])[0].outputs


def made(row: Json) -> tuple[Any, ...]:
    """Return what an output says of itself, but for names, times and addresses."""
    counts = tuple(sorted((key, len(value)) for key, value in row["data"].items()))
    meta = row["node_meta"] or {}
    return counts, meta.get("node_id"), meta.get("node_class")


EXECUTED = [life for life in LIVES if life.recording in REAL and KNOWN[life.run_id].machine]


@pytest.mark.parametrize("life", EXECUTED, ids=lambda life: life.name)
def test_progress_is_counted_as_on_a_real_machine(life: Life, replays: dict[str, Replay]) -> None:
    """What is left from the run before counts as begun, what two nodes have in common counts once."""
    machine = KNOWN[life.run_id].machine
    assert machine is not None
    theirs = {round(share, 2) for _, share in machine.executed}
    ours = {round(answer["progress"], 2) for answer in replays[life.run_id].answers} - {0.0}
    assert ours <= theirs


@pytest.mark.parametrize(
    "life", [life for life in EXECUTED if KNOWN[life.run_id].machine.data], ids=lambda life: life.name
)
def test_the_machine_posts_what_a_real_one_posted(life: Life, replays: dict[str, Replay]) -> None:
    """Seen in the old list: files and texts, the times of the nodes, and why a node failed or was refused."""
    machine, row = KNOWN[life.run_id].machine, replays[life.run_id].row
    assert machine is not None
    theirs, ours = machine.data, [each["data"] for each in row["outputs"]]
    if life.last["status"] == "running" and stopped(life):
        theirs = [each for each in theirs if not isinstance(each, list)]  # a machine that was killed posts none
        ours = [each for each in ours if not isinstance(each, list)]
    assert Counter(map(kind_of, ours)) == Counter(map(kind_of, theirs))
    for word in ("node_id", "node_type", "exception_type", "exception_message"):
        assert told(ours, word) == told(theirs, word)
    assert complaints(ours) == complaints(theirs)


def kind_of(data: Any) -> tuple[str, ...]:
    """Return what kind of thing a machine posted."""
    return ("times",) if isinstance(data, list) else tuple(sorted(data))


def told(posted: list[Any], word: str) -> list[Any]:
    """Return what was said of a failure."""
    return [data[word] for data in posted if isinstance(data, dict) and word in data]


def complaints(posted: list[Any]) -> list[Any]:
    """Return which values of which nodes were refused, and how it was said."""
    found = []
    for data in posted:
        error = data.get("error") if isinstance(data, dict) else None
        for node_id, node in (error or {}).get("node_errors", {}).items():
            found += [(node_id, node["class_type"], each["type"]) for each in node["errors"]]
    return found


QUEUED = [life for life in LIVES if any(answer["queue_position"] is not None for answer in life.answers)]


@pytest.mark.parametrize("life", QUEUED, ids=lambda life: life.name)
def test_the_place_in_the_queue_is_counted_as_recorded(life: Life, replays: dict[str, Replay]) -> None:
    """Runs that will never start count, the one that is executed does not."""
    places = list(dict.fromkeys(answer["queue_position"] for answer in replays[life.run_id].answers))
    theirs = list(dict.fromkeys(answer["queue_position"] for answer in life.answers))
    # The recording begins when the run before them had been started already.
    assert places[-len(theirs) :] == theirs


@pytest.mark.parametrize("answer", machine_answers(CONTENTS), ids=lambda each: f"{each['status']}-{len(each['graph'])}")
def test_a_graph_is_refused_as_a_machine_refused_it(answer: Json) -> None:
    """With 400 as a whole or in part; a node that nobody knows is an error with 200, of which nothing is heard."""
    said, refused = answer["answer"], answer["status"] == 400
    with Sandbox(speed=0, history=0) as sandbox:
        run, row = submit_graph(sandbox, answer["graph"])
    never = "error" in said and not refused
    part = refused and "prompt_id" in said
    assert (run["status"] == "not-started") == never
    assert (run["status"] == "failed") == refused
    assert (run["ended_at"] is None) == (part or not refused)
    posted = [each["data"] for each in row["outputs"]]
    theirs = [{"error": said}] if refused else []
    assert complaints(posted) == complaints(theirs)
    if refused:
        assert not differences(said, next(data for data in posted if "error" in data)["error"])


def submit_graph(sandbox: Sandbox, graph: Json) -> tuple[Json, Json]:
    """Submit a bare graph, and let its time go by; return the run and its row in the old list."""
    import httpx

    world = sandbox.world
    workflow, machine = world.workflow_named("text2img"), world.machine_named("studio-classic-a")
    body = {
        "workflow_id": workflow.id,
        "machine_id": machine.id,
        "workflow_api_json": graph,
        "workflow": {},
        "inputs": {},
    }
    headers = {"authorization": f"Bearer {sandbox.api_key}"}
    with httpx.Client(base_url=f"{sandbox.url}/api", headers=headers, timeout=20) as client:
        client.post("/run/workflow/queue", json=body)
        sandbox.advance(60)
        row = client.get(f"/workflow/{workflow.id}/runs", params={"limit": 1}).json()[0]
        return client.get(f"/run/{row['id']}").json(), row


@recorded.of_the_usual_set
def test_there_is_something_to_compare() -> None:
    """A run over nothing would prove nothing."""
    assert len([life for life in LIVES if life.whole]) >= 20
    assert len(EXECUTED) >= 30
    assert QUEUED
