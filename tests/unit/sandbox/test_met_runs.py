"""The library meets runs that end oddly or not at all, and webhooks that are lost or come twice."""

from __future__ import annotations

import time

import pytest
from receivers import Receiver

import comfynb
from comfynb.sandbox import Sandbox


@pytest.mark.meets("stuck_next")
def test_a_run_that_stands_still_is_called_stalled(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """With the node at which it stands; it is neither a failure nor a success, and the next run is as ever."""
    lively.knobs.stuck_next = 1
    with pytest.raises(comfynb.RunStalled, match="is stuck: nothing has changed for") as caught:
        ws.run("text2img", prompt="a red fox", stall=0.05)
    run = caught.value.run
    assert run is not None
    assert (run.status, run.ended) == ("running", False)
    assert "It stands at" in str(run.stalled)
    assert ws.run("text2img", prompt="a red fox").status == "success"


@pytest.mark.meets("__interrupt__")
def test_a_picture_that_comes_after_the_end_of_a_cancelled_run_is_found(ws: comfynb.Workspace, lively: Sandbox) -> None:
    """Its machine hears nothing of the cancel; the run stays cancelled."""
    lively.knobs.speed = 0
    run = ws.submit("text2img", prompt="a red fox __interrupt__")
    while run.refresh().status != "cancelled":
        lively.advance(0.05)
    assert run.outputs == ()
    with pytest.raises(comfynb.RunCancelled, match="may go on for a while"):
        run.wait()
    lively.advance(100)
    assert len(run.images()) == 1
    assert run.status == "cancelled"


@pytest.mark.meets("lose_webhooks_next")
def test_a_run_whose_webhooks_are_lost_is_followed_all_the_same(
    ws: comfynb.Workspace, lively: Sandbox, receiver: Receiver
) -> None:
    """Looking at it is the truth; a webhook only tells somebody else."""
    lively.knobs.lose_webhooks_next = 1000
    run = ws.run("text2img", prompt="a red fox", webhook=receiver.url)
    assert (run.status, len(run.outputs)) == ("success", 1)
    while lively.counters.webhooks_lost < 2:  # that it runs, and that it has ended
        time.sleep(0.005)
    assert receiver.posts == []
    lively.knobs.lose_webhooks_next = 0
    ws.run("text2img", prompt="a red fox", webhook=receiver.url)
    assert receiver.wait(lambda posts: any(post["status"] == "success" for post in posts))


@pytest.mark.meets("repeat_webhooks")
def test_a_webhook_that_comes_twice_is_one_end_of_the_run(
    ws: comfynb.Workspace, lively: Sandbox, receiver: Receiver
) -> None:
    """The handle hears of it once, with one picture."""
    lively.knobs.repeat_webhooks = True
    run = ws.run("text2img", prompt="a red fox", webhook=receiver.url)
    receiver.wait(lambda posts: [post["status"] for post in posts].count("success") == 2)
    assert {post["run_id"] for post in receiver.posts} == {run.id}
    assert run.timeline["status"].tolist().count("success") == 1
    assert len(run.refresh().outputs) == 1
