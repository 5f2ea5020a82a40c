"""Files go up once, by their content, before the run that needs them; what is sent is said before."""

from __future__ import annotations

import asyncio
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faults import DROP, QUICK, RawServer, Request, json_answer, run, service_for

from comfynb.api.connections import Limits
from comfynb.errors import ApiError, InputError, TransportError
from comfynb.rules.given_file import GivenFile
from comfynb.sandbox import Sandbox
from comfynb.services import uploading
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.flight import Flight
from comfynb.warnings import UploadWarning

READY = "studio-classic-a"

pytestmark = pytest.mark.usefixtures("uploads_are_no_news")


def uploads(sandbox: Sandbox) -> int:
    """Return how many files came to a server."""
    return sandbox.counters.of("POST /file/upload")


def test_a_content_goes_up_once(service: ComfyUIService, sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever it is called and wherever it is, one after the other or at the same time; another content goes up."""
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "b.png").write_bytes(b"one")

    async def main() -> list[str]:
        first = await service.upload_file(tmp_path / "a.png")
        again = await asyncio.gather(
            *(service.upload_file(file, "c.png") for file in (tmp_path / "a.png", tmp_path / "b.png", b"one"))
        )
        return [first, *again]

    assert len(set(run(service, main()))) == 1
    assert uploads(sandbox) == 1
    (tmp_path / "a.png").write_bytes(b"two")
    assert run(service, service.upload_file(tmp_path / "a.png")) != run(service, service.upload_file(b"one", "x.png"))
    assert uploads(sandbox) == 2


def test_many_at_once_send_it_once(service: ComfyUIService, sandbox: Sandbox) -> None:
    """None of them waits for an upload of its own."""

    async def main() -> set[str]:
        return set(await asyncio.gather(*(service.upload_file(b"x" * 100_000, "a.png") for _ in range(20))))

    assert len(run(service, main())) == 1
    assert uploads(sandbox) == 1


def test_an_ending_makes_another_file(service: ComfyUIService, sandbox: Sandbox) -> None:
    """The server tells what it is by that alone."""
    one = run(service, service.upload_file(b"x", "a.png"))
    other = run(service, service.upload_file(b"x", "a.mp4"))
    assert (one.endswith(".png"), other.endswith(".mp4"), uploads(sandbox)) == (True, True, 2)


def serving(*urls: str) -> Any:
    """Answer each upload with the next address."""
    left = list(urls)

    def respond(request: Request) -> bytes:
        if request.method == "GET":
            return json_answer([])
        return json_answer({"file_url": left.pop(0)})

    return respond


def test_an_address_that_was_signed_is_not_used_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is good for an hour, and a run may wait; a plain one stays good."""
    signed = "https://store/a.png?X-Amz-Signature=1"
    with RawServer(serving(signed, "https://store/b.png")) as server:
        service = service_for(server.url)
        clock = [0.0]
        monkeypatch.setattr(uploading, "time", SimpleNamespace(monotonic=lambda: clock[0]))
        assert run(service, service.upload_file(b"x", "a.png")) == signed
        clock[0] = 500.0
        assert run(service, service.upload_file(b"x", "a.png")) == signed
        clock[0] = 700.0
        assert run(service, service.upload_file(b"x", "a.png")) == "https://store/b.png"
        clock[0] = 90_000.0
        assert run(service, service.upload_file(b"x", "a.png")) == "https://store/b.png"


def test_a_file_is_streamed_and_tells_how_far_it_has_come(tmp_path: Path) -> None:
    """In pieces, to the last byte, with its length said before; the body is the file."""
    content = bytes(range(256)) * 20_000
    (tmp_path / "a.bin").write_bytes(content)
    told: list[tuple[str, int, int]] = []
    with RawServer(serving("https://store/a.bin")) as server:
        service = service_for(server.url)
        run(service, service.upload_file(tmp_path / "a.bin", moved=lambda *each: told.append(each)))
        (request,) = [each for each in server.requests if each.method == "POST"]
    assert int(request.headers["content-length"]) == len(request.body)
    assert content in request.body
    assert {(name, size) for name, _, size in told} == {("a.bin", len(content))}
    come = [come for _, come, _ in told]
    assert come == sorted(come)
    assert come[-1] == len(content)
    assert max(after - before for before, after in zip([0, *come], come, strict=False)) <= 1 << 20


def test_a_slow_upload_is_not_given_up_while_it_goes_on(tmp_path: Path) -> None:
    """Its size gives it its time; the deadline of a read would have ended it."""
    (tmp_path / "a.bin").write_bytes(b"x" * 3_000_000)
    with RawServer(serving("https://store/a.bin"), pause=0.15) as server:
        service = service_for(server.url, limits=Limits(timeout=0.3, submit_timeout=5.0))
        assert run(service, service.upload_file(tmp_path / "a.bin")) == "https://store/a.bin"


def test_one_that_is_called_off_stops_and_the_next_one_sends_it(tmp_path: Path) -> None:
    """The upload ends when its submit does, and leaves nothing that another would wait for."""
    (tmp_path / "a.png").write_bytes(b"x" * 6_000_000)
    with RawServer(serving("https://store/1.png", "https://store/2.png"), pause=0.02) as server:
        service = service_for(server.url, limits=QUICK)
        flight = Flight()
        pieces: list[int] = []

        def moved(_: str, come: int, __: int) -> None:
            pieces.append(come)
            if come > 1_000_000:
                flight.call_off()
            flight.check_in()

        async def main() -> str:
            with pytest.raises(asyncio.CancelledError):
                await service.upload_file(tmp_path / "a.png", moved=moved)
            return await service.upload_file(tmp_path / "a.png")

        assert run(service, main()).startswith("https://store/")
    assert pieces[-1] < 2_000_000


def test_what_goes_wrong_on_the_way_is_told(tmp_path: Path) -> None:
    """A lost connection, an answer without an address, a refusal, a file that vanished or changed meanwhile."""
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    for answer, kind, words in [
        ([DROP], TransportError, "gave no answer to POST /file/upload"),
        (json_answer({"file_id": "f"}), ApiError, r"took the upload of a\.png but named no URL"),
        (json_answer({"detail": "Unsupported file type"}, 400), ApiError, "Unsupported file type"),
    ]:
        with RawServer(lambda r, answer=answer: json_answer([]) if r.method == "GET" else answer) as server:
            service = service_for(server.url)
            with pytest.raises(kind, match=words):
                run(service, service.upload_file(path))
    service = service_for("http://127.0.0.1:9")
    gone = GivenFile("gone.png", 5, tmp_path / "gone.png")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        run(service, service.uploads.url(gone))


def test_a_file_that_changes_on_the_way_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    """Half of the old and half of the new one would be known by the content of the old one."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"a" * 4_000_000)
    changed = threading.Event()

    def moved(_: str, come: int, __: int) -> None:
        if come > 500_000 and not changed.is_set():
            changed.set()
            with path.open("r+b") as file:
                file.seek(3_000_000)
                file.write(b"b" * 1000)

    with RawServer(serving("https://store/a.bin")) as server:
        service = service_for(server.url)
        with pytest.raises(InputError, match=r"'a\.bin' changed while it was uploaded"):
            run(service, service.upload_file(path, moved=moved))


# Before a run


def test_preparing_shows_the_file_and_sends_nothing(service: ComfyUIService, sandbox: Sandbox, tmp_path: Path) -> None:
    """Its name, its size, and that it will go up; a submit sends it first and gives its address."""
    (tmp_path / "room.png").write_bytes(b"\x89PNG" + bytes(2000))
    prepared = run(service, service.prepare("upscale_esrgan", {"image": tmp_path / "room.png"}, machine=READY))
    assert prepared.ok
    assert [each.name for each in prepared.files] == ["room.png"]
    assert "<room.png, 2 kB, to be uploaded>" in repr(prepared)
    assert "To be uploaded when it is submitted: room.png." in repr(prepared)
    assert uploads(sandbox) == 0
    submitted = run(service, service.submit(prepared))
    assert uploads(sandbox) == 1
    sent = run(service, service.check_status(submitted.run_id)).workflow_inputs
    assert sent is not None
    assert sent["image"].startswith(sandbox.url)
    assert submitted.prepared is not None
    assert submitted.prepared.inputs.send["image"] == sent["image"]


def test_nothing_goes_up_for_a_run_that_cannot_be_submitted(
    service: ComfyUIService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """All its problems are told first."""
    (tmp_path / "room.png").write_bytes(b"x")
    given = {"image": tmp_path / "room.png", "no such input": 1}
    prepared = run(service, service.prepare("upscale_esrgan", given))
    assert not prepared.ok
    assert prepared.files == ()
    with pytest.raises(InputError, match="no such input"):
        run(service, service.submit(prepared))
    assert uploads(sandbox) == 0


def test_an_upload_that_fails_submits_nothing(service: ComfyUIService, sandbox: Sandbox, tmp_path: Path) -> None:
    """And the error says so, of the same kind that it has."""
    (tmp_path / "room.png").write_bytes(b"x")
    prepared = run(service, service.prepare("upscale_esrgan", {"image": tmp_path / "room.png"}, machine=READY))
    sandbox.knobs.change(fail_next=1, fail_status=500, faults_on="/file/upload")
    with pytest.raises(ApiError, match="was not submitted, since a file did not go up"):
        run(service, service.submit(prepared))
    assert sandbox.counters.runs_created == 0


def test_it_is_said_once_before_the_first_file_leaves(
    service: ComfyUIService, sandbox: Sandbox, tmp_path: Path
) -> None:
    """By whom it can be read. Whoever makes an error of that keeps his files here."""
    (tmp_path / "room.png").write_bytes(b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UploadWarning)
        for _ in range(2):
            with pytest.raises(UploadWarning, match=r"room\.png will be uploaded to .* everybody who knows"):
                run(service, service.upload_file(tmp_path / "room.png"))
    assert uploads(sandbox) == 0
    with pytest.warns(UploadWarning):
        run(service, service.upload_file(tmp_path / "room.png"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UploadWarning)
        run(service, service.upload_file(b"another", "b.png"))
