"""Words in an input that make a run misbehave, and the knobs that do the same."""

from __future__ import annotations

import pytest
from sandbox_client import Client

from comfynb.sandbox import Sandbox
from comfynb.sandbox.plan import WORDS


def test_fail(client: Client) -> None:
    """`__fail__`: the heaviest node fails for want of memory, on either kind of machine."""
    for workflow, name in (("text2img", "prompt"), ("MAKEIMAGE", "PROMPT")):
        run = client.over(client.queued(workflow, {name: "a fox __fail__"}))
        assert (run["status"], run["outputs"]) == ("failed", [])
        assert run["ended_at"] is not None
        error = next(each["data"] for each in client.newest(workflow)["outputs"] if isinstance(each["data"], dict))
        assert (error["node_type"], error["exception_type"]) == ("KSampler", "torch.OutOfMemoryError")


def test_freeze(client: Client) -> None:
    """`__freeze__`: it stays at a node in the middle; on a serverless machine it can be cancelled."""
    run = client.over(client.queued("text2img", {"prompt": "__freeze__"}))
    assert run["status"] == "running"
    assert 0.3 < run["progress"] < 0.8
    run_id = client.queued("MAKEIMAGE", {"PROMPT": "__freeze__"})
    client.sandbox.advance(100)
    client.post(f"/run/{run_id}/cancel")
    assert client.run(run_id)["status"] == "cancelled"


def test_a_frozen_run_does_not_hold_up_the_others(client: Client) -> None:
    """Its machine goes on, so that one test cannot spoil the next."""
    client.queued("text2img", {"prompt": "__freeze__"})
    client.sandbox.advance(30)
    assert client.over(client.queued("text2img"), 30)["status"] == "success"


def test_interrupt(client: Client) -> None:
    """`__interrupt__`: called cancelled on the way, and the machine goes on: the picture comes after the end."""
    states = client.life(client.queued("text2img", {"prompt": "__interrupt__"}))
    assert [state["status"] for state in states if state["outputs"]] == []
    first = states[-1]
    assert (first["status"], first["progress"] < 1) == ("cancelled", True)
    last = client.over(first["id"])
    assert (last["status"], last["progress"], len(last["outputs"])) == ("cancelled", 1.0, 1)
    assert (last["ended_at"], last["duration"]) == (first["ended_at"], first["duration"])


def test_never_start(client: Client) -> None:
    """`__never_start__`: accepted, and nothing comes."""
    run = client.over(client.queued("text2img", {"prompt": "__never_start__"}))
    assert (run["status"], run["progress"], run["live_status"]) == ("not-started", 0.0, None)


def test_no_outputs(client: Client) -> None:
    """`__no_outputs__`: a success that has nothing to show."""
    run = client.over(client.queued("text2img", {"prompt": "__no_outputs__"}))
    assert (run["status"], run["progress"], run["outputs"]) == ("success", 1.0, [])


def test_reject(client: Client) -> None:
    """`__reject__`: the submit is a 400, and the row has failed and ended."""
    reply = client.queue("text2img", {"prompt": "__reject__"})
    assert (reply.status_code, reply.json()) == (400, {"detail": "Error creating run: 400 Bad Request"})
    row = client.newest("text2img")
    assert row["status"] == "failed"
    assert row["ended_at"] is not None
    assert "error" in row["outputs"][0]["data"]


def test_half_reject(client: Client) -> None:
    """`__half_reject__`: the submit is a 400, the row says failed without an end, and a picture comes."""
    reply = client.queue("text2img", {"prompt": "__half_reject__"})
    assert reply.status_code == 400
    run_id = client.newest("text2img")["id"]
    assert client.run(run_id)["status"] == "failed"
    run = client.over(run_id)
    assert (run["status"], run["ended_at"], run["duration"]) == ("failed", None, None)
    assert run["outputs"][0]["data"]["images"]


def test_early_save(client: Client) -> None:
    """`__early_save__`: the picture is there halfway, progress ends at 1, and the status stays."""
    states = client.life(client.queued("text2img", {"prompt": "__early_save__"}), seconds=20)
    early = next(state for state in states if state["outputs"])
    assert 0.2 < early["progress"] < 0.9
    assert (states[-1]["status"], states[-1]["progress"]) == ("running", 1.0)
    assert len(states[-1]["outputs"]) == 1


@pytest.mark.parametrize(("word", "outputs"), [("__preview_only__", 0), ("__text_only__", 1)])
def test_what_is_not_uploaded_never_ends(client: Client, word: str, outputs: int) -> None:
    """`__preview_only__` and `__text_only__`: finished, and running for ever."""
    run = client.over(client.queued("text2img", {"prompt": f"a fox {word}"}))
    assert (run["status"], run["progress"], len(run["outputs"])) == ("running", 1.0, outputs)


def test_machine_down(client: Client) -> None:
    """`__machine_down__`: a plain 500, and a failed row without an end that nobody was told of."""
    reply = client.queue("text2img", {"prompt": "__machine_down__"})
    assert (reply.status_code, reply.text) == (500, "Internal Server Error")
    row = client.newest("text2img")
    assert (row["status"], row["ended_at"]) == ("failed", None)


def test_slow(client: Client) -> None:
    """`__slow__`: several times the seconds."""
    quick = client.over(client.queued("text2img", {"seed": 1}))
    slow = client.over(client.queued("text2img", {"prompt": "__slow__", "seed": 2}))
    assert slow["duration"] > 2 * quick["duration"]


@pytest.mark.parametrize("by_knob", [False, True])
def test_step_back(client: Client, sandbox: Sandbox, by_knob: bool) -> None:
    """`__step_back__` or the knob: status and progress go back for a moment, and the end is what it should be."""
    sandbox.knobs.step_back = by_knob
    prompt = "a fox" if by_knob else "a fox __step_back__"
    states = client.life(client.queued("text2img", {"prompt": prompt}), step=0.02)
    statuses = [state["status"] for state in states]
    assert "not-started" in statuses[statuses.index("running") :]
    progress = [state["progress"] for state in states]
    assert progress != sorted(progress)
    early = next(state for state in states if state["progress"] > 0)
    assert early["status"] == "not-started"
    assert (statuses[-1], progress[-1]) == ("success", 1.0)


def test_every_word_is_tested_here() -> None:
    """A new word needs a test."""
    source = __import__("pathlib").Path(__file__).read_text(encoding="utf-8")
    assert [word for word in WORDS if word not in source] == []


def test_words_count_in_any_text_input(client: Client) -> None:
    """Not only in the prompt."""
    run = client.over(client.queued("text2img", {"negative_prompt": "blurry __no_outputs__"}))
    assert run["outputs"] == []


def test_stuck_runs_by_knob(client: Client, sandbox: Sandbox) -> None:
    """`stuck_next` freezes so many runs, whatever their inputs."""
    sandbox.knobs.stuck_next = 1
    assert client.over(client.queued("text2img"))["status"] == "running"
    assert client.over(client.queued("text2img"))["status"] == "success"


def test_failed_uploads_by_knob(client: Client, sandbox: Sandbox) -> None:
    """`uploads_fail`: success comes after the last retry, without outputs."""
    sandbox.knobs.uploads_fail = True
    run = client.over(client.queued("text2img"))
    assert (run["status"], run["outputs"]) == ("success", [])
    assert run["duration"] > 31


def test_machines_off_by_knob(client: Client, sandbox: Sandbox) -> None:
    """`offline` names machines that do not answer."""
    sandbox.knobs.offline = {"studio-classic-a"}
    assert client.queue("text2img").status_code == 500
    assert client.newest("text2img")["status"] == "failed"
    assert sandbox.counters.prompts == {}
    sandbox.knobs.offline = set()
    assert client.queue("text2img").status_code == 200


def test_an_unknown_status_by_knob(client: Client, sandbox: Sandbox) -> None:
    """`unknown_status` puts a word before running that nobody knows."""
    sandbox.knobs.unknown_status = True
    for workflow in ("text2img", "MAKEIMAGE"):
        statuses = [state["status"] for state in client.life(client.queued(workflow))]
        assert statuses.index("warming-up") < statuses.index("running")
        assert statuses[-1] == "success"


def test_no_credits_by_knob(client: Client, sandbox: Sandbox) -> None:
    """`no_credits`: 403 on each way to submit, and no row."""
    sandbox.knobs.no_credits = True
    reply = client.queue("text2img")
    assert (reply.status_code, reply.json()) == (403, {"detail": "Insufficient GPU credits to create run"})
    assert sandbox.counters.runs_created == 0


def test_run_seconds_by_knob(client: Client, sandbox: Sandbox) -> None:
    """`run_seconds` makes what runs report longer or shorter."""
    usual = client.over(client.queued("text2img", {"seed": 1}))["duration"]
    sandbox.reset()
    sandbox.knobs.run_seconds = 3
    longer = client.over(client.queued("text2img", {"seed": 1}))["duration"]
    assert 2.5 * usual < longer < 3.1 * usual
