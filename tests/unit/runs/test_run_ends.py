"""How a run ends, and what its handle makes of it."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import RecoveredSubmitWarning


def flat(shown: object) -> str:
    """Return what a display or an error says, on one line."""
    return " ".join(str(shown).split())


def test_a_run_that_ends_well_is_returned(ws: comfynb.Workspace) -> None:
    """With its outputs, its times and its end in words."""
    run = ws.run("text2img", prompt="a red fox", seed=7)
    assert (run.status, run.ended, run.progress, run.stage, run.stalled) == ("success", True, 1.0, "finished", None)
    assert [output.kind for output in run.outputs] == ["image"]
    assert run.created_at is not None
    assert (run.queue_position, run.error, run.machine) == (None, None, "studio-classic-a")
    assert run.seconds == pytest.approx(5.5, abs=2)
    assert repr(run).startswith("finished – run of text2img")


def test_a_submit_returns_at_once_and_the_handle_does_no_io(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Properties show the last known state."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", prompt="x", seed=7)
    before = sandbox.counters.total
    facts = (run.status, run.stage, run.progress, run.ended, run.outputs, run.queue_position, run.stalled, run.model)
    assert facts == ("not-started", "waiting", 0.0, False, (), None, None, None)
    assert run.inputs == {"prompt": "x", "seed": 7}
    assert (run.name, run.created_at) == ("text2img", None)
    assert run.machine_id == sandbox.world.machine_named("studio-classic-a").id
    assert len(run.timeline) == 1
    assert "run of text2img" in repr(run) + run._repr_html_()
    assert sandbox.counters.total == before


@pytest.mark.meets("__fail__")
def test_a_failed_run_raises_with_node_and_message(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """What happened, to what, what the machine said, and what to do."""
    with pytest.raises(comfynb.RunFailed) as caught:
        ws.run("text2img", prompt="__fail__")
    text = str(caught.value)
    for part in ("failed at KSampler (node 10)", "text2img", "CUDA out of memory", "ran out of memory: ask for"):
        assert part in text
    for noise in ("Traceback", "/opt/", "execution.py", "tensor("):
        assert noise not in text
    run = caught.value.run
    assert run is ws.last_run
    assert run.id in text
    assert run.error is not None
    assert (run.error.node_class, run.error.message) == ("KSampler", run.explain().message)
    assert run.explain().node == "KSampler (node 10)"
    assert run.explain().exception_type == "torch.OutOfMemoryError"


def test_a_cancelled_run_raises(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Whoever waits for it hears of it at once, also when the cancel came from elsewhere."""
    sandbox.knobs.speed = 0
    run = ws.submit("MAKEIMAGE")
    heard: list[BaseException] = []

    def wait() -> None:
        try:
            run.wait(30)
        except comfynb.ComfyError as error:
            heard.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert run.cancel()
    waiting.join(10)
    assert [type(error) for error in heard] == [comfynb.RunCancelled]
    assert heard[0].run is run  # type: ignore[attr-defined]


def test_a_handle_that_looks_wakes_those_who_wait_on_it(
    ws: comfynb.Workspace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait whose own next look is far away ends when somebody else has seen the end."""
    from comfynb.services import watching

    monkeypatch.setattr(watching, "SHORTEST", 60.0)
    monkeypatch.setattr(watching, "LONGEST", 60.0)
    sandbox.knobs.speed = 0
    run = ws.submit("text2img")
    waiting = threading.Thread(target=run.wait, args=(60,))
    waiting.start()
    while run.model is None:  # until the first look
        time.sleep(0.001)
    sandbox.advance(100)
    assert run.refresh().status == "success"
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_run_that_the_server_gave_up_raises(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """After 24 hours without a sign of life."""
    run = ws.submit("text2img", prompt="__freeze__")
    sandbox.advance(25 * 3600)
    with pytest.raises(comfynb.RunTimedOut, match="24 hours"):
        run.wait()
    assert run.stage == "timed out"


def test_bad_ends_are_returned_when_they_are_not_checked(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """`check=False` is for code that looks at the status itself."""
    assert ws.run("text2img", prompt="__fail__", check=False).status == "failed"
    sandbox.knobs.speed = 0
    cancelled = ws.submit("MAKEIMAGE")
    cancelled.cancel()
    assert cancelled.wait(check=False).status == "cancelled"


def test_waiting_has_an_end_of_its_own(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And says that the run goes on, and may cost; the handle is good for another wait."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", prompt="x")
    with pytest.raises(comfynb.WaitTimeout, match=r"not done after 0\.05 s \(waiting\)") as caught:
        run.wait(0.05)
    assert "goes on and may be billing" in str(caught.value)
    assert run.id in str(caught.value)
    assert caught.value.run is run
    sandbox.advance(100)
    assert run.wait(10).status == "success"


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "soon"])
def test_a_time_that_is_none_is_an_error(ws: comfynb.Workspace, seconds: float) -> None:
    """For the time to wait and for the patience, in both faces."""
    run = ws.submit("text2img")
    for call in (lambda: run.wait(seconds), lambda: run.wait(stall=seconds)):
        with pytest.raises(comfynb.InputError, match="is no number of seconds to wait"):
            call()
    with pytest.raises(comfynb.InputError, match="is no number of seconds to wait"):
        asyncio.run(ws.aio.run("text2img", timeout=seconds))


def test_no_timeout_waits_for_as_long_as_it_takes(ws: comfynb.Workspace) -> None:
    """None is no limit but the server's own."""
    assert ws.submit("text2img").wait(None).status == "success"


@pytest.mark.meets("uploads_fail", "__no_outputs__")
@pytest.mark.parametrize("prompt", ["a red fox", "a red fox __no_outputs__"])
def test_a_success_without_outputs_is_explained(ws: comfynb.Workspace, sandbox: Sandbox, prompt: str) -> None:
    """It is a success, as the server says, and says what became of the pictures."""
    sandbox.knobs.uploads_fail = "__no_outputs__" not in prompt
    run = ws.run("text2img", prompt=prompt)
    assert (run.status, run.outputs, run.images()) == ("success", (), [])
    assert "the machine could not upload its files" in flat(run.explain())
    assert "none came, although the run ended well" in repr(run)


@pytest.mark.meets("__half_reject__")
def test_a_half_refused_run_goes_on_and_keeps_what_it_makes(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The server answers 400 and names no run; there is one, it is called failed, and its picture comes later."""
    sandbox.knobs.speed = 0
    with pytest.warns(RecoveredSubmitWarning):
        run = ws.submit("text2img", prompt="__half_reject__")
    sandbox.advance(1)
    with pytest.raises(comfynb.RunFailed) as caught:
        run.wait()
    assert "may still be running the rest" in flat(caught.value)
    assert run.images() == []
    sandbox.advance(100)
    assert len(run.images()) == 1
    assert "refused a part of the workflow and ran the rest" in flat(run.explain())
    assert run.status == "failed"
    assert sandbox.counters.runs_created == 1


def test_a_picture_that_comes_after_a_cancel_is_found(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """A machine may go on for a while after a cancel: asking for pictures asks the server."""
    sandbox.knobs.speed = 0
    run = ws.submit("MAKEIMAGE")
    run.cancel()
    before = sandbox.counters.of("GET /run/")
    assert run.images() == []
    assert sandbox.counters.of("GET /run/") == before + 1


@pytest.mark.meets("__reject__", "__machine_down__")
@pytest.mark.parametrize(
    ("word", "reason"),
    [("__reject__", "The machine refused the workflow"), ("__machine_down__", "the machine could not be reached")],
)
def test_a_refused_submit_that_left_a_run_says_why(
    ws: comfynb.Workspace, sandbox: Sandbox, word: str, reason: str
) -> None:
    """Nothing is sent again, and the run says what became of it."""
    with pytest.warns(RecoveredSubmitWarning, match="was found in the run list; it was not sent again"):
        run = ws.submit("text2img", prompt=word)
    with pytest.raises(comfynb.RunFailed, match=reason):
        run.wait()
    assert "Its submit was in trouble" in repr(run)
    assert sandbox.counters.runs_created == 1


def test_an_unreadable_picture_is_named_as_the_cause(ws: comfynb.Workspace) -> None:
    """The machine says only that the next node got nothing."""
    with pytest.raises(comfynb.RunFailed) as caught:
        ws.run(
            "inpaint",
            mask_image="https://nowhere.invalid/mask.png",
            input_image="https://nowhere.invalid/room.png",
        )
    assert "could not read an image that was given" in flat(caught.value)
    assert "Look at 'input_image' and 'mask_image'." in flat(caught.value)


def test_a_run_that_goes_on_has_nothing_to_explain_yet(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And one that ended well has nothing to explain at all."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img")
    assert "It goes on, as far as known" in repr(run.explain())
    sandbox.advance(100)
    assert "nothing to explain" in repr(run.explain())


def test_an_explanation_does_not_need_the_list_that_has_the_error(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """When that cannot be read, the end is still told."""
    run = ws.submit("text2img", prompt="__fail__")
    sandbox.knobs.change(fail_next=1, fail_status=500, faults_on="/runs")
    with pytest.raises(comfynb.RunFailed, match="What the machine said could not be asked"):
        run.wait()
    assert "CUDA out of memory" in repr(run.explain())


def test_an_end_that_was_seen_is_told_although_the_server_is_away(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """What is known is not lost over a look that fails."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", prompt="__fail__")
    sandbox.advance(100)
    run.refresh()
    sandbox.knobs.change(fail_next=100, fail_status=500, faults_on="GET /api/run/")
    with pytest.raises(comfynb.RunFailed, match="CUDA out of memory"):
        run.wait()


def test_a_handle_can_be_awaited(ws: comfynb.Workspace) -> None:
    """From any event loop; a bad end raises there, too."""

    async def both() -> tuple[str, str]:
        good = await ws.aio.submit("text2img", prompt="x")
        with pytest.raises(comfynb.RunFailed):
            await ws.aio.run("text2img", prompt="__fail__")
        return (await good).status, (await ws.aio.run("text2img", prompt="__fail__", check=False)).status

    assert asyncio.run(both()) == ("success", "failed")


def test_the_last_run_is_kept(ws: comfynb.Workspace) -> None:
    """None before the first; then the handle of the last submit, also of one that raised."""
    assert ws.last_run is None
    first = ws.submit("text2img")
    assert ws.last_run is first
    with pytest.raises(comfynb.RunFailed):
        ws.run("text2img", prompt="__fail__")
    assert ws.last_run is not first
    assert ws.last_run is not None
    assert ws.last_run.status == "failed"
    assert ws.last_run.id in repr(ws)
