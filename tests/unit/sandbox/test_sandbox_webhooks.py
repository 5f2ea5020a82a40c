"""Webhooks: who is told what, how often, and what happens when nobody listens."""

from __future__ import annotations

import time
from typing import Any

import pytest
from receivers import Receiver
from sandbox_client import Client

from comfynb.sandbox import Sandbox

KEYS = ["event_type", "status", "live_status", "progress", "run_id", "outputs"]


@pytest.fixture
def moving(sandbox: Sandbox) -> Sandbox:
    """Give a sandbox whose machines work by themselves."""
    sandbox.knobs.speed = 60
    return sandbox


def final(posts: list[dict[str, Any]]) -> bool:
    """Whether the end was told."""
    return any(post["status"] in {"success", "failed", "cancelled"} for post in posts)


def test_each_change_of_the_status_is_told(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """Without being asked for; outputs come with the last one. Nothing signs them."""
    run_id = client.queued("text2img", webhook=receiver.url)
    posts = receiver.wait(final)
    assert [post["status"] for post in posts] == ["running", "success"]
    assert all(list(post) == KEYS for post in posts)
    assert {post["run_id"] for post in posts} == {run_id}
    assert [len(post["outputs"]) for post in posts] == [0, 1]
    assert {post["event_type"] for post in posts} == {"run.updated"}
    assert not {"authorization", "x-signature", "webhook-id"} & receiver.headers[0].keys()


def test_a_serverless_run_tells_of_more_statuses(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """Queued and started too."""
    client.queued("MAKEIMAGE", webhook=receiver.url)
    posts = receiver.wait(final)
    assert {post["status"] for post in posts} == {"queued", "started", "running", "success"}


def test_progress_is_told_when_it_is_asked_for(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """Once for each node, and then with two decimals."""
    client.queued("text2img", webhook=receiver.url, webhook_intermediate_status=True)
    posts = receiver.wait(lambda posts: final(posts) and len(posts) >= 14)
    progress = {post["progress"] for post in posts}
    assert {0.08, 0.17, 0.33, 1.0} <= progress


def test_outputs_are_told_when_they_are_asked_for(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """By the address of the webhook; while the run still runs."""
    client.queued("text2img", webhook=f"{receiver.url}?target_events=run.output")
    posts = receiver.wait(lambda posts: final(posts) and len(posts) >= 3)
    output = next(post for post in posts if post["event_type"] == "run.output")
    assert output["status"] == "running"
    assert output["outputs"][0]["data"]["images"]


@pytest.mark.parametrize("word", ["__fail__", "__reject__"])
def test_a_failure_is_told_without_its_reason(client: Client, moving: Sandbox, receiver: Receiver, word: str) -> None:
    """Outputs are empty."""
    client.queue("text2img", {"prompt": word}, webhook=receiver.url)
    last = receiver.wait(final)[-1]
    assert (last["status"], last["outputs"]) == ("failed", [])


def test_a_cancel_is_told(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """As the last one."""
    run_id = client.queued("MAKEIMAGE", {"PROMPT": "__freeze__"}, webhook=receiver.url)
    receiver.wait(lambda posts: any(post["status"] == "running" for post in posts))
    client.post(f"/run/{run_id}/cancel")
    assert receiver.wait(final)[-1]["status"] == "cancelled"


def test_a_machine_that_is_down_tells_nobody(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """The server marks the run by itself, and sends nothing."""
    client.queue("text2img", {"prompt": "__machine_down__"}, webhook=receiver.url)
    client.queued("text2img", webhook=f"{receiver.url}?second")
    receiver.wait(final)
    assert "failed" not in {post["status"] for post in receiver.posts}


def test_a_delivery_is_tried_three_times(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """And then it is lost; the run does not know of it."""
    receiver.answer = 500
    run_id = client.queued("text2img", webhook=receiver.url)
    receiver.wait(lambda posts: [post["status"] for post in posts].count("success") == 3)
    deadline = time.monotonic() + 10
    while moving.counters.webhooks_lost < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert moving.counters.webhooks_sent == 6
    assert client.run(run_id)["webhook_status"] is None


@pytest.mark.parametrize("webhook", ["not a url", "http://127.0.0.1:9/nobody", "http://[broken", "ftp://x/y"])
def test_any_text_is_taken_for_a_webhook(client: Client, moving: Sandbox, webhook: str) -> None:
    """The run goes on, whatever becomes of its webhook."""
    run_id = client.queued("text2img", webhook=webhook)
    assert moving.ended()
    assert client.run(run_id)["status"] == "success"


def test_webhooks_get_lost_by_knob(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """`lose_webhooks_next` loses so many deliveries."""
    moving.knobs.lose_webhooks_next = 1
    client.queued("text2img", webhook=receiver.url)
    posts = receiver.wait(final)
    assert [post["status"] for post in posts] == ["success"]
    assert moving.counters.webhooks_lost == 1


def test_webhooks_are_repeated_by_knob(client: Client, moving: Sandbox, receiver: Receiver) -> None:
    """`repeat_webhooks` sends the last one twice, the same."""
    moving.knobs.repeat_webhooks = True
    client.queued("text2img", webhook=receiver.url)
    posts = receiver.wait(lambda posts: len(posts) >= 3)
    ends = [post for post in posts if post["status"] == "success"]
    assert len(ends) == 2
    assert ends[0] == ends[1]
