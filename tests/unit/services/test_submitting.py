"""A run is submitted once, whatever happens to the connection, and is known or reported afterwards."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest
from faults import (
    DROP,
    PATIENCE,
    Cut,
    Proxy,
    RawServer,
    Request,
    Step,
    json_answer,
    run,
    service_for,
    text_answer,
    transport_to,
)

from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import Limits
from comfynb.errors import (
    ApiError,
    AuthenticationError,
    ComfyError,
    CreditsError,
    InputError,
    NotFoundError,
    RoutingError,
    SubmitUncertainError,
    TransportError,
)
from comfynb.sandbox import Sandbox
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.prepared import Prepared
from comfynb.services.submitting import Submitted, Submitter
from comfynb.warnings import RecoveredSubmitWarning

MANY = Limits(timeout=10.0, submit_timeout=10.0, first_wait=0.01, longest_wait=0.05, max_concurrent=60)
Outcome = Submitted | BaseException


def body_of(request: bytes) -> dict[str, Any]:
    """Return the decoded body of a request."""
    found: dict[str, Any] = json.loads(request.partition(b"\r\n\r\n")[2])
    return found


def seeded(seed: int) -> dict[str, Any]:
    """Return inputs that only one submit has."""
    return {"prompt": "a red fox", "seed": seed}


def runs_with(sandbox: Sandbox, inputs: dict[str, Any]) -> list[str]:
    """Return the ids of the runs that the sandbox has with these inputs."""
    return [each.id for each in sandbox.world.runs.values() if each.inputs == inputs]


def submit_all(service: ComfyUIService, seeds: Sequence[int]) -> list[Outcome]:
    """Submit one run for each seed, all at the same time; return ids and errors in order."""

    async def everything() -> list[Outcome]:
        prepared = [await service.prepare("text2img", seeded(seed)) for seed in seeds]
        await service.client.transport.discover()
        return await asyncio.gather(*(service.submit(each) for each in prepared), return_exceptions=True)

    return run(service, everything())


def sizes(sandbox: Sandbox) -> tuple[int, int]:
    """Return how many bytes a submit and its answer have, through a proxy."""
    with Proxy(sandbox.url) as proxy:
        submit_all(service_for(proxy.url, sandbox.api_key), [9999])
        request, reply = proxy.passed[0]
        return len(request), len(reply)


def offsets(size: int, step: int) -> list[int]:
    """Return places in so many bytes: regular ones, and all near both ends."""
    return sorted({*range(0, size, step), *range(3), *range(size - 6, size)})


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """Return a run that a server would take."""
    with Sandbox() as sandbox:
        service = service_for(sandbox.url, sandbox.api_key)
        return run(service, service.prepare("text2img", seeded(7)))


# At any byte


@pytest.mark.filterwarnings("ignore::comfynb.warnings.RecoveredSubmitWarning")
@pytest.mark.parametrize("part", ["request", "answer", "at once"])
def test_a_connection_that_ends_at_any_byte_makes_no_second_and_no_lost_run(sandbox: Sandbox, part: str) -> None:
    """Cut in the request there is no run; cut in the answer the run is found; and in each case at most one is made."""
    request, reply = sizes(sandbox)
    places = {"request": offsets(request, 16), "answer": offsets(reply, 4), "at once": [request] * 20}[part]
    cuts = {
        1000 + number: Cut(answer=place) if part == "answer" else Cut(request=place, wait=False)
        for number, place in enumerate(places)
    }
    with Proxy(sandbox.url, lambda sent: cuts[body_of(sent)["inputs"]["seed"]]) as proxy:
        outcomes = dict(zip(cuts, submit_all(service_for(proxy.url, sandbox.api_key, MANY), list(cuts)), strict=True))
    for seed, outcome in outcomes.items():
        made = runs_with(sandbox, seeded(seed))
        if part == "request":
            assert made == []
            assert isinstance(outcome, SubmitUncertainError)
        else:
            assert isinstance(outcome, Submitted)
            assert made == [outcome.run_id]
            assert outcome.trouble is not None
            assert "broke before the answer was complete" in outcome.trouble


def test_a_run_that_was_found_again_is_announced(sandbox: Sandbox) -> None:
    """By a warning, and by the trouble of what is returned."""
    with Proxy(sandbox.url, lambda _: Cut(answer=40)) as proxy:
        service = service_for(proxy.url, sandbox.api_key)
        prepared = run(service, service.prepare("text2img", seeded(1)))
        with pytest.warns(RecoveredSubmitWarning, match="found in the run list; it was not sent again") as caught:
            found = run(service, service.submit(prepared))
    assert [found.run_id] == runs_with(sandbox, seeded(1))
    assert found.run_id in str(caught[0].message)


def test_a_run_that_is_not_found_is_reported(sandbox: Sandbox) -> None:
    """The error says that it is not known, that nothing was sent again, and where to look."""
    with Proxy(sandbox.url, lambda _: Cut(request=100)) as proxy:
        service = service_for(proxy.url, sandbox.api_key)
        prepared = run(service, service.prepare("text2img", seeded(1)))
        with pytest.raises(SubmitUncertainError) as caught:
            run(service, service.submit(prepared))
    message = str(caught.value)
    assert "Whether text2img was started is not known, and it was not sent again" in message
    assert "The run list does not show it so far. ws.resume() looks again; see ws.runs(workflow='text2img')" in message
    assert caught.value.candidates == ()
    assert runs_with(sandbox, seeded(1)) == []


def test_where_nothing_listens_nothing_was_submitted(sandbox: Sandbox) -> None:
    """Refused connections are tried again, and then said to have sent nothing."""
    with Proxy(sandbox.url) as proxy:
        service = service_for(proxy.url, sandbox.api_key)
        prepared = run(service, service.prepare("text2img", seeded(1)))
        proxy.refuse()
        with pytest.raises(
            TransportError, match=r"connection refused\); .* is right\. Nothing was submitted\.$"
        ) as caught:
            run(service, service.submit(prepared))
    assert not caught.value.sent
    assert runs_with(sandbox, seeded(1)) == []


def test_a_server_that_comes_back_in_time_gets_the_submit_once(sandbox: Sandbox) -> None:
    """Nothing had left this machine, so it is sent again."""
    with Proxy(sandbox.url) as proxy:
        service = service_for(proxy.url, sandbox.api_key)
        prepared = run(service, service.prepare("text2img", seeded(1)))
        proxy.refuse()
        threading.Timer(0.2, proxy.listen).start()
        found = run(service, service.submit(prepared))
    assert runs_with(sandbox, seeded(1)) == [found.run_id]
    assert found.trouble is None


@pytest.mark.filterwarnings("ignore::comfynb.warnings.RecoveredSubmitWarning")
@pytest.mark.parametrize("drop", ["before", "middle", "after"])
def test_the_dropped_submits_of_the_sandbox_are_found_or_reported(
    service: ComfyUIService, sandbox: Sandbox, drop: str
) -> None:
    """On a whole server that drops the connection of each submit itself."""
    sandbox.knobs.change(drop_next=5, drop=drop, faults_on="POST")
    for seed, outcome in zip(range(1, 6), submit_all(service, range(1, 6)), strict=True):
        made = runs_with(sandbox, seeded(seed))
        if drop == "before":
            assert isinstance(outcome, SubmitUncertainError)
            assert made == []
        else:
            assert isinstance(outcome, Submitted)
            assert made == [outcome.run_id]


# Equal submits


@pytest.mark.filterwarnings("ignore::comfynb.warnings.RecoveredSubmitWarning")
@pytest.mark.parametrize(
    "fault", [Cut(answer=0), Cut(answer=100), Cut(request=200), Cut(request=100_000, wait=False)], ids=str
)
def test_of_equal_submits_no_two_get_one_run(sandbox: Sandbox, fault: Cut) -> None:
    """Twenty at once, a third of them cut off: never two handles with one id, never a run that was not asked for."""
    numbers = itertools.count()
    with Proxy(sandbox.url, lambda _: fault if next(numbers) % 3 == 0 else None) as proxy:
        service = service_for(proxy.url, sandbox.api_key, MANY)
        outcomes = submit_all(service, [7] * 20)
    made = runs_with(sandbox, seeded(7))
    handles = [each.run_id for each in outcomes if isinstance(each, Submitted)]
    assert len(handles) == len(set(handles))
    assert set(handles) <= set(made)
    assert len(made) == (13 if fault.request == 200 else 20)
    others = [each for each in outcomes if not isinstance(each, Submitted)]
    assert all(isinstance(each, SubmitUncertainError) for each in others)
    if fault.answer is not None:
        assert set(handles) == set(made), "each run that was made is held by somebody"


@pytest.mark.parametrize("pictures", [False, True])
def test_a_submit_that_is_still_on_its_way_keeps_its_run(sandbox: Sandbox, pictures: bool) -> None:
    """One like it whose answer was lost does not take it, although the list shows it long before it is answered.

    The server makes URLs of pictures, so two submits with different pictures look alike in the list.
    """
    service = service_for(sandbox.url, sandbox.api_key)
    if pictures:
        mask = {"mask_image": "https://files.example/mask.png"}
        inputs = [{"input_image": f"data:image/png;base64,{each}", **mask} for each in ("/8A=", "/9k=")]
        stored: dict[str, Any] = {"input_image": "https://files.example/1.png", **mask}
        lost, late = (run(service, service.prepare("inpaint", each)) for each in inputs)
    else:
        stored = seeded(7)
        lost = late = run(service, service.prepare("text2img", stored))
    assert late.deployment is not None
    row = {
        "id": "r2",
        "workflow_version_id": late.version.id,
        "deployment_id": late.deployment.id,
        "machine_id": late.machine_id,
        "workflow_inputs": stored,
    }
    listed: list[dict[str, Any]] = []
    submits: list[Request] = []

    def respond(request: Request) -> bytes | list[Step]:
        if request.method == "GET":
            return json_answer(listed if request.path.endswith("/runs") else [])
        submits.append(request)
        if len(submits) == 1:
            return [DROP]
        listed.append(row)
        return [0.4, json_answer({"run_id": "r2"})]

    with RawServer(respond) as server:
        client = ComfyDeployClient(transport_to(server.url))
        submitter = Submitter(client, patience=(0.1, 0.1))

        async def both() -> list[Outcome]:
            first = asyncio.create_task(submitter.submit(lost))
            while not submits and not first.done():  # noqa: ASYNC110 - the server is on another thread
                await asyncio.sleep(0.005)
            return await asyncio.gather(first, submitter.submit(late), return_exceptions=True)

        first, second = run(client, both())
    assert isinstance(second, Submitted)
    assert (second.run_id, second.trouble) == ("r2", None)
    assert isinstance(first, SubmitUncertainError)


# Answers that are errors


@pytest.mark.parametrize(("word", "status"), [("__reject__", 400), ("__half_reject__", 400), ("__machine_down__", 500)])
def test_a_refusal_that_left_a_run_returns_that_run(
    service: ComfyUIService, sandbox: Sandbox, word: str, status: int
) -> None:
    """The row was written before the machine was asked; what became of it is for its handle to say."""
    inputs = {"prompt": f"a red fox {word}", "seed": 7}
    prepared = run(service, service.prepare("text2img", inputs))
    with pytest.warns(RecoveredSubmitWarning, match=rf"\({status}\)"):
        found = run(service, service.submit(prepared))
    assert runs_with(sandbox, inputs) == [found.run_id]
    assert run(service, service.wait_for_completion(found.run_id, timeout=10)).status == "failed"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (json_answer({"detail": "Revoked token"}, 401), AuthenticationError),
        (json_answer({"detail": "Insufficient GPU credits to create run"}, 403), CreditsError),
        (json_answer({"detail": "Deployment not found"}, 404), NotFoundError),
        (json_answer({"detail": [{"loc": ["body"], "msg": "wrong"}]}, 422), ApiError),
        (json_answer({"detail": "Invalid request"}, 400), ApiError),
        (text_answer("Internal Server Error", 500), ApiError),
        (text_answer("", 307, location="https://elsewhere.example"), ApiError),
    ],
)
def test_a_refusal_that_left_nothing_is_raised(prepared: Prepared, reply: bytes, kind: type[ComfyError]) -> None:
    """As the error that it is, after one submit."""
    outcome, posts = against(prepared, reply)
    assert type(outcome) is kind
    assert len(posts) == 1


@pytest.mark.parametrize(
    "reply",
    [
        [DROP],
        text_answer("<html>Bad Gateway</html>", 502, "text/html"),
        text_answer("", 503),
        text_answer("", 504),
        text_answer("<html>Sign in</html>", 200, "text/html"),
        json_answer({}),
        json_answer({"batch_id": "b1"}),
        json_answer([]),
        text_answer('{"run_id": "', 200, "application/json"),
    ],
    ids=["dropped", "502", "503", "504", "page", "empty", "batch", "list", "cut"],
)
def test_an_answer_that_proves_nothing_is_uncertain(prepared: Prepared, reply: bytes | list[Step]) -> None:
    """A gateway's answer does not tell what the server behind it did; it is neither repeated nor called a failure."""
    outcome, posts = against(prepared, reply)
    assert isinstance(outcome, SubmitUncertainError)
    assert len(posts) == 1


def against(prepared: Prepared, reply: bytes | list[Step]) -> tuple[Outcome, list[str]]:
    """Submit to a server that answers submits so and has no runs; return the outcome, and the submits it got."""

    def respond(request: Request) -> bytes | list[Step]:
        return reply if request.method == "POST" else json_answer([])

    with RawServer(respond) as server:
        client = ComfyDeployClient(transport_to(server.url, limits=MANY))
        submitter = Submitter(client, PATIENCE)
        try:
            return run(client, submitter.submit(prepared)), server.asked("POST")
        except ComfyError as error:
            return error, server.asked("POST")


# Looking for the run


def listing(prepared: Prepared, *rows: dict[str, Any], bare: bool = False) -> Submitted | SubmitUncertainError:
    """Submit to a server that drops the submit and then lists these rows; return the outcome."""
    deployment = prepared.deployment
    assert deployment is not None
    fitting = {
        "created_at": "2026-11-01T09:00:05.000Z",
        "workflow_version_id": prepared.version.id,
        "deployment_id": deployment.id,
        "machine_id": prepared.machine_id,
        "workflow_inputs": prepared.inputs.send,
    }
    listed = [row if bare else {**fitting, **row} for row in rows]

    def respond(request: Request) -> bytes | list[Step]:
        if request.method == "POST":
            return [DROP]
        if "/v2/" in request.path:  # what stood there before the submit
            return json_answer([row for row in listed if row["id"] == "made before"])
        reply = listed if request.path.endswith("/runs") else []
        return json_answer(reply, date="Sun, 01 Nov 2026 09:00:00 GMT")

    with RawServer(respond) as server:
        client = ComfyDeployClient(transport_to(server.url))
        try:
            return run(client, Submitter(client, PATIENCE).submit(prepared))
        except SubmitUncertainError as error:
            return error


@pytest.mark.filterwarnings("ignore::comfynb.warnings.RecoveredSubmitWarning")
def test_the_run_that_fits_is_found_among_others(prepared: Prepared) -> None:
    """Others differ in version, deployment, machine, inputs, or were made before."""
    outcome = listing(
        prepared,
        {"id": "another version", "workflow_version_id": "v"},
        {"id": "another deployment", "deployment_id": "d"},
        {"id": "another machine", "machine_id": "m"},
        {"id": "other inputs", "workflow_inputs": seeded(8)},
        {"id": "no inputs", "workflow_inputs": None},
        {"id": "made before", "created_at": "2026-11-01T08:59:50.000Z"},
        {"id": "this one"},
    )
    assert isinstance(outcome, Submitted)
    assert outcome.run_id == "this one"


@pytest.mark.filterwarnings("ignore::comfynb.warnings.RecoveredSubmitWarning")
def test_what_the_list_does_not_tell_rules_nothing_out(prepared: Prepared) -> None:
    """A server that lists less than the one that is known."""
    outcome = listing(prepared, {"id": "this one"}, bare=True)
    assert isinstance(outcome, Submitted)
    assert outcome.run_id == "this one"


def test_two_that_fit_are_reported_and_none_is_taken(prepared: Prepared) -> None:
    """The error lists them, newest first."""
    outcome = listing(
        prepared,
        {"id": "older", "created_at": "2026-11-01T09:00:01.000Z"},
        {"id": "newer", "created_at": "2026-11-01T09:00:09.000Z"},
    )
    assert isinstance(outcome, SubmitUncertainError)
    assert outcome.candidates == ("newer", "older")
    assert "2 runs could be it: newer, older." in str(outcome)


def test_a_list_that_cannot_be_read_is_said_so(prepared: Prepared) -> None:
    """Then it is not even known whether the list shows it."""

    def respond(request: Request) -> bytes | list[Step]:
        if request.path.endswith("/runs"):
            return text_answer("Internal Server Error")
        return [DROP] if request.method == "POST" else json_answer([])

    with RawServer(respond) as server:
        client = ComfyDeployClient(transport_to(server.url))
        with pytest.raises(SubmitUncertainError, match="The run list could not be read either"):
            run(client, Submitter(client, PATIENCE).submit(prepared))


def test_nothing_is_sent_that_has_a_problem(prepared: Prepared) -> None:
    """Checked before the server is asked for anything."""
    problem = replace(prepared, inputs=replace(prepared.inputs, problems={"prompt": "is wrong"}))
    with RawServer(lambda _: json_answer([])) as server:
        client = ComfyDeployClient(transport_to(server.url))
        for wrong, kind in [(problem, InputError), (replace(prepared, blockers=("No machine.",)), RoutingError)]:
            with pytest.raises(kind):
                run(client, Submitter(client, PATIENCE).submit(wrong))
        assert server.requests == []


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_refusal_of_the_machine_is_looked_into_whatever_its_status(
    service: ComfyUIService, sandbox: Sandbox, status: int
) -> None:
    """The server passes on what the machine answered, after it has written the run down."""
    prepared = run(service, service.prepare("text2img", seeded(11)))
    passed_on = json_answer({"detail": f"Error creating run: {status} Refused"}, status)

    def respond(request: Request) -> bytes:
        answer = _passed(request, sandbox)
        return passed_on if request.method == "POST" else answer

    with RawServer(respond) as server:
        behind = service_for(server.url, sandbox.api_key)
        with pytest.warns(RecoveredSubmitWarning, match="The machine refused the run"):
            found = run(behind, behind.submit(prepared))
    assert runs_with(sandbox, seeded(11)) == [found.run_id]


def test_a_run_like_mine_that_stood_there_before_is_not_mine(service: ComfyUIService, sandbox: Sandbox) -> None:
    """Somebody else's, made just before with the same inputs, is not taken for one that was refused."""
    other = service_for(sandbox.url, sandbox.api_key)
    prepared = run(service, service.prepare("text2img", seeded(12)))
    theirs = run(other, other.submit(prepared))
    refused = json_answer({"detail": "Error creating run: 400 Bad Request"}, 400)

    with RawServer(lambda r: refused if r.method == "POST" else _passed(r, sandbox)) as server:
        mine = service_for(server.url, sandbox.api_key)
        with pytest.raises(ApiError, match="refused"):
            run(mine, mine.submit(prepared))
    assert runs_with(sandbox, seeded(12)) == [theirs.run_id]


def _passed(request: Request, sandbox: Sandbox) -> bytes:
    """Ask the sandbox, and return its answer."""
    headers = {"Authorization": f"Bearer {sandbox.api_key}", "Content-Type": "application/json"}
    answer = httpx.request(request.method, sandbox.url + request.target, content=request.body, headers=headers)
    return json_answer(answer.json(), answer.status_code)
