"""A handle on a run goes through recorded lives as it should, whatever the server says in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

import comfynb
from comfynb.rules.status import ORDER, is_terminal
from comfynb.services import watching
from comfynb.warnings import RecoveredSubmitWarning, StalledRunWarning

from . import recorded
from .player import Player
from .posted import Json
from .recorded import Recording
from .run_facts import Known, graphs, old_rows, runs_known, submits
from .sequences import Life, lives, looks, told

WHERE = recorded.folder()
CONTENTS = recorded.load_all(WHERE) if WHERE else {}
KNOWN = runs_known(CONTENTS)
GRAPHS = graphs(CONTENTS)
LIVES = lives(CONTENTS)
TOLD = told(CONTENTS)
ALL = [*LIVES, *looks(CONTENTS), *TOLD]
ROWS = old_rows(CONTENTS)

SHORT = 0.05
"""Seconds of patience."""
BAD_ENDS = {"failed": comfynb.RunFailed, "timeout": comfynb.RunTimedOut, "cancelled": comfynb.RunCancelled}

pytestmark = pytest.mark.skipif(not CONTENTS, reason="no recordings: COMFYNB_RECORDINGS names their folder")


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    """Play recordings."""
    with Player(KNOWN, GRAPHS) as playing:
        yield playing


@pytest.fixture(scope="module")
def ws(player: Player) -> Iterator[comfynb.Workspace]:
    """Connect to what is played."""
    with comfynb.connect(player.url, player.api_key) as workspace:
        yield workspace


@pytest.fixture
def fresh(player: Player) -> Iterator[comfynb.Workspace]:
    """Connect as somebody who has submitted nothing yet."""
    with comfynb.connect(player.url, player.api_key) as workspace:
        yield workspace


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at runs without a pause that somebody would notice."""
    monkeypatch.setattr(watching, "SHORTEST", 0.001)
    monkeypatch.setattr(watching, "LONGEST", 0.01)


def some(lives: list[Life]) -> Any:
    """Return the mark that runs a test over these lives; there have to be some."""
    return pytest.mark.parametrize("life", lives, ids=lambda life: life.name)


def named(each: Recording | Known | Json) -> str:
    """Return what a test of it is called."""
    return each.name if isinstance(each, Recording) else each.run_id[:8] if isinstance(each, Known) else ""


def rows_of(life: Life) -> list[Json]:
    """Return the run in the old list, as far as that is recorded."""
    return [ROWS[life.run_id]] if life.run_id in ROWS else []


def rank(status: str) -> int:
    """Return how far a status is on the way."""
    return len(ORDER) if is_terminal(status) else ORDER[status]


def made(life: Life) -> set[str]:
    """Return the names of the files and the texts that it had made in the end."""
    found = set()
    for row in life.outputs:
        for value in row["data"].values():
            found |= {each["filename"] if isinstance(each, dict) else each for each in value if each is not True}
    return found


def has(run: comfynb.Run) -> set[str]:
    """Return the same of a handle."""
    return {output.text if output.text is not None else output.filename for output in run.outputs}


@some(ALL)
def test_a_recorded_run_ends_as_it_did(life: Life, player: Player, ws: comfynb.Workspace) -> None:
    """Well, badly, or not at all; what never ends is handed over if it made something, and is called stuck if not."""
    player.play(life, rows_of(life))
    run = ws.get_run(life.run_id)
    status = life.last["status"]
    if status == "success":
        assert run.wait(stall=SHORT) is run
        assert run.progress == 1.0
    elif life.ended:
        with pytest.raises(BAD_ENDS[status]) as caught:
            run.wait(stall=SHORT)
        assert caught.value.run is run
    elif life.outputs:
        with pytest.warns(StalledRunWarning, match="not known to be a success"):
            assert run.wait(stall=SHORT) is run
    else:
        with pytest.raises(comfynb.RunStalled, match="nothing has changed") as stuck:
            run.wait(stall=SHORT)
        assert stuck.value.run is run
    while not player.over(run.id):
        run.refresh()  # also after an end outputs can still come
    assert (run.status, run.ended) == (status, life.ended)
    assert has(run) == made(life)
    assert (run.stalled is None) == life.ended


@some(ALL)
def test_nothing_that_is_shown_goes_back(life: Life, player: Player, ws: comfynb.Workspace) -> None:
    """Neither the status nor the progress, look for look; an end stays."""
    player.play(life)
    run = ws.get_run(life.run_id)
    shown = [(rank(run.status), run.progress)]
    for answer in life.answers[1:]:
        run.refresh()
        shown.append((rank(run.status), run.progress))
        assert run.model is not None
        assert run.model.status == answer["status"]
    assert shown == sorted(shown)
    assert run.status == life.last["status"]
    timeline = run.timeline
    assert [rank(status) for status in timeline["status"]] == sorted(rank(status) for status in timeline["status"])
    assert timeline["progress"].is_monotonic_increasing
    assert timeline["outputs"].is_monotonic_increasing


@recorded.of_the_usual_set
def test_the_recordings_do_go_back() -> None:
    """Else nothing was proved: nodes before the run was said to run, progress that fell, and statuses that did."""

    def falls(life: Life, value: Any) -> bool:
        return any(value(later) < value(earlier) for earlier, later in pairwise(life.answers))

    early = [life for life in LIVES if any(a["status"] == "not-started" and a["progress"] > 0 for a in life.answers)]
    assert len(early) >= 10
    assert sum(falls(life, lambda answer: answer["progress"]) for life in LIVES) >= 3
    assert sum(falls(life, lambda answer: rank(answer["status"])) for life in TOLD) >= 2


@some([life for life in LIVES if not life.ended])
def test_a_wait_has_an_end_of_its_own(life: Life, player: Player, ws: comfynb.Workspace) -> None:
    """Before it counts as stuck, too: with what it says, and that it may cost."""
    player.play(life)
    run = ws.get_run(life.run_id)
    with pytest.raises(comfynb.WaitTimeout, match="may be billing") as caught:
        run.wait(0.05, stall=60)
    assert run.id in str(caught.value)
    assert caught.value.run is run


@some([life for life in ALL if life.last["status"] == "not-started" and not life.serverless])
def test_a_run_that_never_starts_is_told_with_its_likely_cause(
    life: Life, player: Player, ws: comfynb.Workspace
) -> None:
    """No machine says that it does not know a node; a run that it dropped looks the same."""
    player.play(life)
    run = ws.get_run(life.run_id)
    with pytest.raises(comfynb.RunStalled) as caught:
        run.wait(stall=SHORT)
    said = " ".join(str(caught.value).split())
    assert "does not know a node of the workflow" in said
    assert "The machine has not begun it" in said
    assert run.stalled is not None
    assert run.stalled in said
    assert "does not know a node" in " ".join(repr(run.explain()).split())


FAILED = [
    life
    for life in LIVES
    if life.last["status"] == "failed"
    and any("exception_message" in row["data"] for row in ROWS.get(life.run_id, {}).get("outputs", ()))
]


@some(FAILED)
def test_a_failed_run_says_which_node_failed_and_no_more(life: Life, player: Player, ws: comfynb.Workspace) -> None:
    """The machine's own words, without its paths, its traceback, and the numbers of its tensors."""
    player.play(life, rows_of(life))
    run = ws.get_run(life.run_id)
    with pytest.raises(comfynb.RunFailed) as caught:
        run.wait(stall=SHORT)
    data = next(row["data"] for row in ROWS[life.run_id]["outputs"] if "exception_message" in row["data"])
    error = run.error
    assert error is not None
    assert (error.node_id, error.node_class) == (data["node_id"], data["node_type"])
    assert (error.message, error.exception_type) == (data["exception_message"].strip(), data["exception_type"])
    shown = [str(caught.value), repr(run), repr(run.explain()), run._repr_html_(), run.explain()._repr_html_()]
    for text in shown[:1] + shown[2:3]:
        assert data["node_type"] in text
        assert " ".join(error.message.split())[:60] in " ".join(text.split())
    for text in shown:
        for noise in ("Traceback", 'File "', "execution.py", "/opt/", "tensor(", ".py"):
            assert noise not in text
    if "NoneType" in error.message:
        assert "could not read an image that was given" in " ".join(str(caught.value).split())


LATE = [
    life
    for life in ALL
    if any(
        is_terminal(earlier["status"]) and len(later["outputs"]) > len(earlier["outputs"])
        for earlier, later in pairwise(life.answers)
    )
]


@some(LATE)
def test_what_comes_after_the_end_is_found(life: Life, player: Player, ws: comfynb.Workspace) -> None:
    """A machine may go on after a cancel, or after a part of the workflow was refused: its pictures are asked for."""
    player.play(life, rows_of(life))
    run = ws.get_run(life.run_id)
    with pytest.raises(BAD_ENDS[life.last["status"]]):
        run.wait(stall=SHORT)
    while not player.over(run.id):
        run.images()
    assert len(run.images()) == len(made(life)) > 0
    assert run.status == life.last["status"]


# Submits that were refused, and left a run behind


def left_behind() -> list[tuple[Recording, Known]]:
    """Return submits that were answered with an error, each with the run that it had made."""
    found = []
    for submit in submits(CONTENTS):
        words = str(submit.answer)
        if submit.status < 400 or not ("Error creating run" in words or "__text__" in words):
            continue
        for known in KNOWN.values():
            same = known.tells("deployment_id") == submit.body.get("deployment_id", "")
            if same and known.tells("status") == "failed" and known.tells("workflow_version_id") in GRAPHS:
                found.append((submit, known))
    return found


@pytest.mark.parametrize(("submit", "known"), left_behind(), ids=named)
def test_a_refused_submit_ends_as_the_one_run_that_it_is(
    submit: Recording, known: Known, player: Player, fresh: comfynb.Workspace
) -> None:
    """It is found in the list, not sent again, and what it made is handed over."""
    life = next((each for each in ALL if each.run_id == known.run_id), None)
    row = ROWS.get(known.run_id, known.rows[0])
    if life is None:
        life = Life(known.run_id, (blank_answer(row),))
    player.play(life)
    player.take(submit, [row])
    what, inputs = submit.body["deployment_id"], dict(submit.body.get("inputs") or {})
    inputs |= dict.fromkeys(fresh.prepare(what, inputs=inputs).problems, "https://example.com/a.png")
    with pytest.warns(RecoveredSubmitWarning, match="it was not sent again"):
        run = fresh.submit(what, inputs=inputs)
    assert run.id == known.run_id
    assert player.asked["POST /api/run/deployment/queue"] == 1
    with pytest.raises(comfynb.RunFailed) as caught:
        run.wait(stall=SHORT)
    while not player.over(run.id):
        run.refresh()
    assert len(run.images()) == len(made(life))
    refused = [row["data"]["error"] for row in row.get("outputs") or () if "error" in row["data"]]
    for error in refused:
        complaint = next(iter(error["node_errors"].values()))["errors"][0]
        assert complaint["message"] in " ".join(str(caught.value).split())
    if not refused:
        assert "could not be reached" in str(caught.value)


def blank_answer(row: Json) -> Json:
    """Return an answer about a run of which only a row is recorded."""
    return {
        **ALL[0].last,
        **{name: value for name, value in row.items() if name in ALL[0].last},
        "outputs": [],
        "live_status": None,
        "progress": 0.0,
        "duration": None,
    }


HANGING = [
    (submit, content)
    for content in CONTENTS.values()
    if isinstance(content, dict) and "times_delivered_to_machine" in content
    for submit in submits(CONTENTS)
    if isinstance(submit.answer, dict) and submit.answer.get("run_id") == content["run_id"]
]


@pytest.mark.parametrize(("submit", "told"), HANGING, ids=named)
def test_a_submit_that_takes_long_is_sent_once(
    submit: Recording, told: Json, player: Player, fresh: comfynb.Workspace
) -> None:
    """The server itself repeats it to a machine that hangs; the client waits, and has one run."""
    life = next(each for each in LIVES if each.last["status"] == "success")
    life = Life(submit.name, tuple({**answer, "id": told["run_id"]} for answer in life.answers))
    elapsed = CONTENTS[submit.name]["elapsed_ms"] / 1000
    assert told["times_delivered_to_machine"] > 1
    player.play(life)
    player.take(submit, [], seconds=elapsed / 50)
    begun = time.monotonic()
    run = fresh.submit(submit.body["deployment_id"], inputs=submit.body["inputs"])
    assert time.monotonic() - begun >= elapsed / 50
    assert run.id == told["run_id"]
    assert player.asked[f"POST {submit.path}"] == 1
    assert run.wait(stall=SHORT).status == "success"


@recorded.of_the_usual_set
def test_no_recorded_submit_took_longer_than_one_is_waited_for() -> None:
    """A client that gave up earlier would not know what became of its run."""
    slowest = max(CONTENTS[submit.name]["elapsed_ms"] for submit in submits(CONTENTS)) / 1000
    assert 5 < slowest < 90


@recorded.of_the_usual_set
def test_there_is_something_to_play() -> None:
    """A run over nothing would prove nothing."""
    ends = {(life.last["status"], bool(life.outputs)) for life in LIVES}
    assert ends >= {
        ("success", True),
        ("success", False),
        ("failed", False),
        ("failed", True),
        ("cancelled", True),
        ("running", True),
        ("running", False),
        ("not-started", False),
    }
    assert len(ALL) > 100
    assert len(FAILED) >= 5
    assert LATE
    assert len(left_behind()) >= 3
    assert HANGING
