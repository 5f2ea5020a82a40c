"""The sandbox calls webhooks as the recorded server did: what, when, how often, and when not at all."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import httpx
import pytest

import comfynb
from comfynb.rules.status import is_terminal
from comfynb.sandbox import Sandbox

from . import recorded
from .posted import Hooks, Json, hooks
from .recorded import differences
from .replaying import Replay, replay
from .run_facts import graphs, runs_known
from .sequences import by_comfyui, lives, plain

WHERE = recorded.folder()
CONTENTS = recorded.load_all(WHERE) if WHERE else {}
REAL = by_comfyui(WHERE) if WHERE else frozenset()
KNOWN = runs_known(CONTENTS)
GRAPHS = graphs(CONTENTS)
LIVES = lives(CONTENTS)
HOOKS = hooks(CONTENTS)
RUNS = {life.run_id: life for life in LIVES}
MADE = [each for each in HOOKS if each.run_id in KNOWN and KNOWN[each.run_id].tells("workflow_version_id") in GRAPHS]
REFUSED = [each for each in HOOKS if each not in MADE]
ARRIVED = {each.run_id for each in HOOKS}
SILENT = [
    known
    for known in KNOWN.values()
    if known.run_id not in ARRIVED and known.rows and (known.webhook or "").startswith("http")
]

STOPPED = [
    each for each in MADE if each.run_id in RUNS and not RUNS[each.run_id].ended and not RUNS[each.run_id].outputs
]
ROUTE = ("content-type", "user-agent")
USUAL = {"host", "accept", "accept-encoding", "content-length", "connection", *ROUTE}

pytestmark = pytest.mark.skipif(not CONTENTS, reason="no recordings: COMFYNB_RECORDINGS names their folder")

every_case = pytest.mark.parametrize("case", MADE, ids=lambda case: case.name)


class Receiver:
    """Keeps what is posted to it, with the time, and answers with `answer`."""

    def __init__(self) -> None:
        self.posts: list[tuple[float, dict[str, str], Json]] = []
        self.answer = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.posts.append((time.monotonic(), headers, body))
                self.send_response(receiver.answer)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512  # hundreds come at once

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        """Stop it."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def all(self, sandbox: Sandbox, quiet: float = 0.4) -> list[tuple[float, dict[str, str], Json]]:
        """Return what came, once nothing has come for a while."""
        seen, since = -1, time.monotonic()
        deadline = since + 60
        while time.monotonic() - since < quiet or len(self.posts) < sandbox.counters.webhooks_sent:
            assert time.monotonic() < deadline, "webhooks that were sent have not come"
            if len(self.posts) != seen:
                seen, since = len(self.posts), time.monotonic()
            time.sleep(0.01)
        return list(self.posts)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Listen for webhooks."""
    receiver = Receiver()
    yield receiver
    receiver.close()


Posts = dict[str, list[Json]]


@pytest.fixture(scope="module")
def played(receiver: Receiver) -> tuple[dict[str, Replay], Posts, list[dict[str, str]]]:
    """Submit everything once: what became of it, what was posted by the recorded id of the run, and all headers."""
    with Sandbox(speed=0) as sandbox:
        replays = replay(sandbox, KNOWN, GRAPHS, LIVES, receiver.url)
        arrived = receiver.all(sandbox)
    ids = {each.run_id: run_id for run_id, each in replays.items()}
    posts: Posts = defaultdict(list)
    for _, _, body in arrived:
        posts[ids[body["run_id"]]].append(body)
    return replays, posts, [headers for _, headers, _ in arrived]


def shown(bodies: Any) -> list[tuple[str, str, float, int]]:
    """Return what bodies say, without their order: each is delivered by itself, and they overtake each other."""
    # What is told of a node may come before the run is said to run.
    return sorted(
        (
            body["event_type"],
            "running" if body["status"] == "not-started" else body["status"],
            round(body["progress"], 2),
            len(body["outputs"]),
        )
        for body in bodies
    )


@every_case
def test_the_same_is_posted_as_often(case: Hooks, played: Any) -> None:
    """Each change of the status; each node, if that was asked for; each output, if that was asked for."""
    ours, theirs = played[1][case.run_id], list(case.bodies)
    assert {each[:2] for each in shown(ours)} == {each[:2] for each in shown(theirs)}
    ends = [[len(body["outputs"]) for body in bodies if is_terminal(body["status"])] for bodies in (ours, theirs)]
    assert max(ends[0], default=0) == max(ends[1], default=0)
    if not KNOWN[case.run_id].intermediate:
        assert Counter(each[:2] for each in shown(ours)) == Counter(each[:2] for each in shown(theirs))


@pytest.mark.parametrize(
    "case",
    [each for each in MADE if each.name.partition(":")[0] in REAL and each not in STOPPED],
    ids=lambda case: case.name,
)
def test_each_node_is_told_as_by_a_real_machine(case: Hooks, played: Any) -> None:
    """As many as there were, with the progress of each, two decimals; a status has what the database makes of it."""
    ours, theirs = played[1][case.run_id], list(case.bodies)
    if not KNOWN[case.run_id].intermediate:
        return
    assert len(ours) == len(theirs)
    assert {each[2] for each in shown(ours)} | {0.0} == {each[2] for each in shown(theirs)} | {0.0}
    if any(body["status"] == "cancelled" for body in theirs) or KNOWN[case.run_id].refused:
        # How far it was when its status was changed from outside is nothing that a graph says.
        return
    assert Counter(each[1] for each in shown(ours)) == Counter(each[1] for each in shown(theirs))
    assert shown(ours)[-1] == shown(theirs)[-1]


@every_case
def test_a_body_is_made_as_the_recorded_one(case: Hooks, played: Any) -> None:
    """The same keys in the same order, and the same types at every depth."""
    ours = played[1][case.run_id]
    for body in case.bodies:
        alike = [each for each in ours if bool(each["outputs"]) == bool(body["outputs"])]
        assert alike
        theirs = body if case.name.partition(":")[0] in REAL else body | {"outputs": list(map(plain, body["outputs"]))}
        assert not min((differences(theirs, each) for each in alike), key=len)
        assert list(alike[0]) == list(body)


@every_case
def test_the_headers_that_matter_are_the_recorded_ones(case: Hooks, played: Any) -> None:
    """JSON from the server's own library; nothing that signs it, names it or says when it was sent."""
    theirs = {name.lower(): value for name, value in case.headers.items()}
    for headers in played[2]:
        assert {name: headers[name] for name in ROUTE} == {name: theirs[name] for name in ROUTE}
        assert headers.keys() <= USUAL
    assert theirs.keys() <= USUAL


@pytest.mark.parametrize("known", SILENT, ids=lambda known: known.run_id[:8])
def test_nothing_is_posted_where_nothing_arrived(known: Any, played: Any) -> None:
    """A machine that could not be reached, and a run that never starts."""
    if known.run_id not in played[0]:
        if os.environ.get("COMFYNB_RECORDINGS"):
            pytest.skip("the graph of this run stands in no recording of this set")
        pytest.fail(f"nothing of the graph of {known.run_id} is known")
    assert played[1][known.run_id] == []


# What needs a sandbox of its own


@pytest.fixture
def own(receiver: Receiver) -> Iterator[Sandbox]:
    """Run a sandbox without a past, whose machines are moved by hand."""
    receiver.posts.clear()
    receiver.answer = 200
    with Sandbox(speed=0, history=0) as sandbox:
        yield sandbox
    receiver.answer = 200


def submit(sandbox: Sandbox, hook: str, word: str, name: str = "text2img") -> httpx.Response:
    """Submit a run that has a webhook."""
    workflow = sandbox.world.workflow_named(name)
    body: Json = {"workflow_version_id": workflow.versions[-1].id, "machine_id": workflow.selected_machine_id}
    body |= {"inputs": {"prompt": word}, "webhook": hook}
    with httpx.Client(base_url=f"{sandbox.url}/api", headers={"authorization": f"Bearer {sandbox.api_key}"}) as client:
        return client.post("/run", json=body)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_refused_prompt_is_told_once(case: Hooks, own: Sandbox, receiver: Receiver) -> None:
    """Where nothing but the end is recorded, a machine had refused all of it."""
    assert [body["status"] for body in case.bodies] == ["failed"]
    assert submit(own, receiver.url, "__reject__").status_code == 400
    posts = [body for _, _, body in receiver.all(own)]
    assert shown(posts) == shown(case.bodies)
    assert not differences(case.bodies[0], posts[0])


REPEATED = [
    post
    for content in CONTENTS.values()
    if isinstance(content, list) and content and "event_type" in (content[0].get("body") or ())
    for post in content
]


@pytest.mark.parametrize("post", REPEATED, ids=lambda post: post["body"]["status"])
def test_the_end_is_told_again(post: Json, own: Sandbox, receiver: Receiver) -> None:
    """Word for word, when a late update comes; the sandbox does so by a knob."""
    first = next(case.bodies[-1] for case in HOOKS if case.run_id == post["body"]["run_id"])
    assert post["body"] == first
    own.knobs.repeat_webhooks = True
    submit(own, receiver.url, "a fox")
    own.advance(100)
    ends = [body for _, _, body in receiver.all(own) if is_terminal(body["status"])]
    assert len(ends) == 2
    assert ends[0] == ends[1]
    assert ends[0]["status"] == post["body"]["status"]


RETRIED = [content for content in CONTENTS.values() if isinstance(content, dict) and "attempts_[s,status]" in content]


@pytest.mark.parametrize("content", RETRIED, ids=["retries"] * len(RETRIED))
def test_a_delivery_is_tried_as_often_and_as_far_apart(content: Json, own: Sandbox, receiver: Receiver) -> None:
    """Three times with waits of half a second and a second, at the sandbox's speed; then it is lost."""
    speed = 10.0
    receiver.answer = 500
    own.knobs.speed = speed
    reply = submit(own, receiver.url, "a fox")
    own.advance(100)
    tries = defaultdict(list)
    for at, _, body in receiver.all(own):
        tries[body["status"]].append(at)
    theirs = defaultdict(list)
    for at, status in content["attempts_[s,status]"]:
        theirs[status].append(at)
    assert {status: len(times) for status, times in tries.items()} == {
        each: len(times) for each, times in theirs.items()
    }
    for times, scale in [*((times, speed) for times in tries.values()), *((times, 1.0) for times in theirs.values())]:
        waits = [(later - earlier) * scale for earlier, later in pairwise(times)]
        assert all(wait >= least for wait, least in zip(waits, (0.5, 1.0), strict=True))
    with httpx.Client(headers={"authorization": f"Bearer {own.api_key}"}) as client:
        after = client.get(f"{own.url}/api/run/{reply.json()['run_id']}").json()
    assert {name: after[name] for name in content["run_after"]} == content["run_after"]


def test_a_run_that_the_server_gave_up_is_not_told(own: Sandbox, receiver: Receiver) -> None:
    """It is called a timeout when somebody asks; nothing has changed."""
    run_id = submit(own, receiver.url, "__freeze__").json()["run_id"]
    own.advance(30 * 3600.0)
    assert [body["status"] for _, _, body in receiver.all(own)] == ["running"]
    with httpx.Client(headers={"authorization": f"Bearer {own.api_key}"}) as client:
        assert client.get(f"{own.url}/api/run/{run_id}").json()["status"] == "timeout"


@pytest.mark.parametrize("case", HOOKS, ids=lambda case: case.name)
def test_our_receiver_takes_what_was_posted(case: Hooks) -> None:
    """Each body is an event of its run."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", journal=False) as ws, ws.listen() as listener:
        ws.comfyui_service.events.expect(case.run_id)
        for body in case.bodies:
            answer = httpx.post(listener.address, json=body, headers={"user-agent": case.headers["User-Agent"]})
            assert answer.status_code == 204
        assert listener.counts["event"] == len(case.bodies)


@recorded.of_the_usual_set
def test_there_is_something_to_compare() -> None:
    """A run over nothing would prove nothing."""
    assert len(MADE) >= 30
    assert SILENT
    assert REPEATED
    assert RETRIED
    assert REFUSED
