"""What runs made is saved safely; files go up with their URL coming back."""

from __future__ import annotations

import gzip
import os
import stat
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from faults import DROP, QUICK, RawServer, Request, Step, answer, run, service_for, text_answer
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from comfynb.api.connections import Limits
from comfynb.api.models import Output, Run
from comfynb.errors import ApiError, NotFoundError, TransportError
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.downloads import safe_name
from comfynb.services.manifest import MANIFEST
from comfynb.services.results import ResultFile

RUN_ID = "0123456789abcdef"


def made(*files: dict[str, Any], run_id: str = RUN_ID) -> Run:
    """Return a run that made these files."""
    return Run(id=run_id, outputs=[Output(data={"images": list(files)}, node_meta={"node_id": "9", "node_class": "S"})])


def save(respond: Any, folder: Path, *files: dict[str, Any], run_id: str = RUN_ID) -> list[Path]:
    """Download files from a server that answers so; `{url}` in their URLs is its address."""
    with RawServer(respond) as server:
        service = service_for(server.url, limits=QUICK)
        placed = [{**file, "url": str(file["url"]).replace("{url}", server.url)} for file in files]
        return run(service, service.download_outputs(made(*placed, run_id=run_id), folder))


def everything_in(folder: Path) -> list[str]:
    """Return the names of all files below a folder, hidden ones included, but for the manifests."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return [name for name in found if Path(name).name != MANIFEST]


def content(request: Request) -> bytes:
    """Answer each path with its own name."""
    return answer(200, request.path.encode(), "image/png")


# Where files go


def test_files_are_called_by_their_run_and_their_own_name(tmp_path: Path) -> None:
    """In the order of the outputs, in a folder that is made for them."""
    folder = tmp_path / "a" / "b"
    saved = save(content, folder, {"filename": "two.png", "url": "{url}/2"}, {"filename": "one.png", "url": "{url}/1"})
    assert saved == [folder / "01234567_two.png", folder / "01234567_one.png"]
    assert [path.read_bytes() for path in saved] == [b"/2", b"/1"]
    assert everything_in(tmp_path) == ["a/b/01234567_one.png", "a/b/01234567_two.png"]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\windows\\win.ini",
        "C:\\x.png",
        "..",
        ".",
        "a/../../b.png",
        "x\x00.png",
        "x\n\x1b[31m.png",
        "\u202egnp.exe",
        "con.png",
        "NUL",
        "~root/.ssh/id",
        " . ",
        "a" * 5000 + ".png",
        "🦊" * 300 + ".png",
        "a." + "b" * 400,
        "name?.png",
        "*",
        "|rm -rf",
        "-rf",
    ],
)
def test_no_name_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """Whatever the server calls a file, it is one plain file in the folder."""
    folder = tmp_path / "inside"
    (saved,) = save(content, folder, {"filename": name, "url": "{url}/x"})
    assert saved.parent == folder
    assert everything_in(tmp_path) == [f"inside/{saved.name}"]
    assert saved.name.isprintable()


@pytest.mark.parametrize("run_id", ["../../..", "/etc/x", "..\\..", "", "\x00\x00", "con"])
def test_no_id_of_a_run_leaves_the_folder(tmp_path: Path, run_id: str) -> None:
    """It comes from the server, too."""
    folder = tmp_path / "inside"
    (saved,) = save(content, folder, {"filename": "a.png", "url": "{url}/x"}, run_id=run_id)
    assert saved.parent == folder
    assert everything_in(tmp_path) == [f"inside/{saved.name}"]


@given(st.text(max_size=300))
@settings(deadline=None, derandomize=True, database=None)
def test_any_name_becomes_a_safe_one(name: str) -> None:
    """No separator, no control character, short enough for a file system, and safe when made safe again."""
    safe = safe_name(name)
    assert safe == Path(safe).name
    assert safe not in ("", ".", "..")
    assert len(safe.encode()) <= 200
    assert not set(safe) & set('/\\<>:"|?*')
    assert safe.isprintable()
    assert safe_name(safe) == safe


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("ComfyUI_00001_.png", "ComfyUI_00001_.png"),
        ("été 2026.png", "été 2026.png"),
        ("e\u0301te\u0301.png", "été.png"),
        ("archive.tar.gz", "archive.tar.gz"),
        ("nul.txt", "output.txt"),
        ("COM1", "output"),
        ("a b.png ", "a b.png"),
        ("🦊" * 100 + ".png", "🦊" * 49 + ".png"),
    ],
)
def test_good_names_stay_what_they_are(name: str, safe: str) -> None:
    """Only what no system could keep is changed; the ending stays."""
    assert safe_name(name) == safe


def test_two_of_a_name_are_both_kept(tmp_path: Path) -> None:
    """Also where the file system does not tell capitals apart."""
    saved = save(
        content,
        tmp_path,
        {"filename": "a.png", "url": "{url}/1"},
        {"filename": "A.png", "url": "{url}/2", "subfolder": "x"},
        {"filename": "a.png", "url": "{url}/3", "subfolder": "y"},
    )
    assert [path.name for path in saved] == ["01234567_a.png", "01234567_A_2.png", "01234567_a_3.png"]
    assert [path.read_bytes() for path in saved] == [b"/1", b"/2", b"/3"]


def test_saving_again_writes_the_same_files_again(tmp_path: Path) -> None:
    """And never those of another run, or other files."""
    (tmp_path / "a.png").write_bytes(b"mine")
    file = {"filename": "a.png", "url": "{url}/1"}
    first = save(content, tmp_path, file)
    assert save(content, tmp_path, file) == first
    save(content, tmp_path, file, run_id="fedcba9876543210")
    assert everything_in(tmp_path) == ["01234567_a.png", "a.png", "fedcba98_a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"mine"


@pytest.mark.skipif(os.name != "posix", reason="permissions as on POSIX")
def test_saved_files_can_be_read_by_whom_the_user_lets(tmp_path: Path) -> None:
    """As any file that the user makes: by the umask."""
    (saved,) = save(content, tmp_path, {"filename": "a.png", "url": "{url}/1"})
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


# Half files


def interrupted(steps: Iterable[Step]) -> Any:
    """Return how a server answers that gives these steps for a file."""
    return lambda _: list(steps)


WHOLE = answer(200, b"0123456789" * 10_000, "image/png")
PACKED = gzip.compress(b"0123456789" * 10_000)
CUT_INSIDE = answer(200, PACKED[:-9], "image/png", content_encoding="gzip")
"""Its length fits what comes, and yet it is not all that was packed."""


@pytest.mark.parametrize(
    ("steps", "kind", "words"),
    [
        ([DROP], TransportError, "broke off while it was fetched from 127.0.0.1"),
        ([WHOLE[:50], DROP], TransportError, "broke off"),
        ([WHOLE[:-1], DROP], TransportError, "broke off"),
        ([text_answer("expired", 403)], ApiError, r"\(403\); its link may have expired: read the run again"),
        ([text_answer("gone", 404)], ApiError, r"could not be fetched from 127.0.0.1 \(404\)"),
        ([answer(302, b"")], ApiError, r"\(302\)"),
        ([answer(302, b"", location="file:///etc/passwd")], TransportError, "broke off"),
        ([answer(302, b"", location="http://[::1")], TransportError, "broke off"),
        ([answer(302, b"", location="http://127.0.0.1:99999/x")], TransportError, "broke off"),
        ([answer(302, b"", location="http://xn--/")], TransportError, "broke off"),
        ([answer(204, b"")], ApiError, r"\(204\); that is no whole file"),
        ([answer(206, b"")], ApiError, r"\(206\); that is no whole file"),
        ([answer(206, b"part of it")], ApiError, r"\(206\)"),
        ([CUT_INSIDE], TransportError, r"broke off .* \(DecodingError\)"),
        ([answer(200, PACKED * 2, content_encoding="gzip")], TransportError, "broke off"),
        ([answer(200, zlib.compress(b"x" * 1000)[:-5], content_encoding="deflate")], TransportError, "broke off"),
    ],
)
def test_a_file_that_does_not_come_whole_leaves_nothing(
    tmp_path: Path, steps: list[Step], kind: type[Exception], words: str
) -> None:
    """Not under its name, not under another one; and what stood there before still does."""
    before = tmp_path / "01234567_a.png"
    before.write_bytes(b"the whole one of yesterday")
    with pytest.raises(kind, match=words):
        save(interrupted(steps), tmp_path, {"filename": "a.png", "url": "{url}/1"})
    assert everything_in(tmp_path) == [before.name]
    assert before.read_bytes() == b"the whole one of yesterday"


@pytest.mark.parametrize(
    "first",
    [
        [WHOLE[:-1], DROP],
        [CUT_INSIDE],
        [DROP],
        [text_answer("slow down", 429)],
        [text_answer("<html>down", 502, "text/html")],
    ],
    ids=["cut off", "cut inside", "reset", "429", "502"],
)
def test_a_file_that_does_not_come_at_once_is_fetched_again(tmp_path: Path, first: list[Step]) -> None:
    """From its beginning; what came of the first try is not in it."""
    tries = iter([first, first, [WHOLE]])
    with RawServer(lambda _: next(tries)) as server:
        service = service_for(server.url, limits=QUICK)
        (path,) = run(
            service, service.download_outputs(made({"filename": "a.png", "url": f"{server.url}/1"}), tmp_path)
        )
        assert len(server.requests) == 3
    assert path.read_bytes() == b"0123456789" * 10_000
    assert everything_in(tmp_path) == ["01234567_a.png"]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_file_that_is_refused_is_not_asked_for_again(tmp_path: Path, status: int) -> None:
    """But for a fresh link, which the run is asked for."""
    with RawServer(lambda _: text_answer("no", status)) as server:
        service = service_for(server.url, limits=QUICK)
        with pytest.raises(ApiError, match=rf"\({status}\)"):
            run(service, service.download_outputs(made({"filename": "a.png", "url": f"{server.url}/1"}), tmp_path))
        assert [each.path for each in server.requests].count("/1") == 1


def test_a_file_that_trickles_is_given_up(tmp_path: Path) -> None:
    """However evenly it does: the whole of it has a deadline, which a steady stream moves on."""
    drops: list[Step] = [answer(200, b"x" * 1000)[:-1000]]
    for _ in range(1000):
        drops += [b"x", 0.01]
    begun = time.monotonic()
    with RawServer(lambda _: drops) as server:
        service = service_for(server.url, limits=Limits(timeout=0.4))
        file = ResultFile("image", "a.png", f"{server.url}/1", None, None, None, None, RUN_ID)
        with pytest.raises(TransportError, match=r"came too slowly from 127\.0\.0\.1, and was given up"):
            run(service, service.downloads.save([file], tmp_path))
    assert time.monotonic() - begun < 5
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_larger_than_it_may_be_is_not_taken(tmp_path: Path, packed: bool) -> None:
    """Whether it says its size or not; what it unpacks to counts, too."""
    body = gzip.compress(bytes(3_000_000)) if packed else bytes(3_000_000)
    sent = answer(200, body, "image/png", **({"content_encoding": "gzip"} if packed else {}))
    with RawServer(lambda _: sent) as server:
        service = service_for(server.url, limits=Limits(largest_file=2_000_000, largest_read=1_000_000))
        file = ResultFile("image", "a.png", f"{server.url}/1", None, None, None, None, RUN_ID)
        with pytest.raises(TransportError, match=r"has more than 2\.0 MB, so it was not taken"):
            run(service, service.downloads.save([file], tmp_path))
        with pytest.raises(TransportError, match=r"has more than 1\.0 MB, so it was not taken"):
            run(service, service.downloads.read(file))
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_a_public_server_does_not_lead_into_the_own_network(host: str) -> None:
    """Neither by an address nor by a name: what answers there is nobody else's business."""
    with RawServer(content) as inner:
        service = service_for("https://93.184.216.34", limits=QUICK)
        url = inner.url.replace("127.0.0.1", host)
        file = ResultFile("image", "a.png", f"{url}/secret", None, None, None, None, RUN_ID)
        with pytest.raises(TransportError, match="is in a private network, and the server"):
            run(service, service.downloads.read(file))
    assert inner.requests == []


@pytest.mark.parametrize("name", ["a#1.png", "a?b=1.png", "50%.png", "a b.png", "füchse.png", "a&b;c.png", "a%20b.png"])
def test_a_name_that_means_something_in_an_address_is_found(tmp_path: Path, name: str) -> None:
    """The server puts names into addresses as they are."""
    with RawServer(content) as server:
        service = service_for(server.url)
        (saved,) = run(
            service, service.download_outputs(made({"filename": name, "url": f"{server.url}/runs/{name}"}), tmp_path)
        )
        (request,) = server.requests
    assert unquote(request.target) == f"/runs/{name}"
    assert saved.name == f"01234567_{safe_name(name)}"


def test_a_compressed_answer_is_the_file_that_it_stands_for(tmp_path: Path) -> None:
    """Stores compress what can be; the progress is that of what comes."""
    body = b"x" * 100_000
    packed = answer(200, gzip.compress(body), "text/plain", content_encoding="gzip")
    told: list[tuple[str, int, int]] = []
    with RawServer(lambda _: packed) as server:
        service = service_for(server.url)
        file = ResultFile("file", "a.bin", f"{server.url}/1", None, None, None, None, RUN_ID)
        (saved,) = run(service, service.downloads.save([file], tmp_path, lambda *each: told.append(each)))
    assert saved.path.read_bytes() == body
    assert saved.size == 100_000
    assert told[-1][1] == told[-1][2] < 10_000


def test_what_a_process_that_was_killed_left_is_cleared_away(tmp_path: Path) -> None:
    """After an hour; what is younger may be somebody's."""
    for name, age in (("old", 7200), ("new", 10)):
        left = tmp_path / f".comfynb-{name}.part"
        left.write_bytes(b"half")
        os.utime(left, (time.time() - age,) * 2)
    save(content, tmp_path, {"filename": "a.png", "url": "{url}/1"})
    assert everything_in(tmp_path) == [".comfynb-new.part", "01234567_a.png"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/plain,x",
        "http://[::1",
        "ftp://host/x",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:0/x",
        "http://xn--/",
    ],
)
def test_what_has_no_web_address_is_not_fetched(url: str) -> None:
    """Nothing of this machine is read because a server says so."""
    service = service_for("http://127.0.0.1:9")
    file = ResultFile("image", "a.png", url, None, None, None, None, RUN_ID)
    with pytest.raises(TransportError, match=r"The output 'a\.png' has no web address") as caught:
        run(service, read(service, file))
    assert not caught.value.again


@pytest.mark.parametrize("target", ["http://127.0.0.1:99999/x", "http://xn--/", "file:///etc/passwd"])
def test_a_redirect_to_no_web_address_is_not_followed_again(tmp_path: Path, target: str) -> None:
    """It would lead to the same."""
    with RawServer(lambda _: answer(302, b"", location=target)) as server:
        service = service_for(server.url, limits=QUICK)
        file = ResultFile("image", "a.png", f"{server.url}/1", None, None, None, None, RUN_ID)
        with pytest.raises(TransportError) as caught:
            run(service, read(service, file))
        assert len(server.requests) == 1
    assert not caught.value.again


def test_an_empty_file_that_is_said_to_be_packed_is_an_empty_file(tmp_path: Path) -> None:
    """As some stores send it."""
    empty = answer(200, b"", "text/plain", content_encoding="gzip")
    (saved,) = save(lambda _: empty, tmp_path, {"filename": "a.txt", "url": "{url}/1"})
    assert saved.read_bytes() == b""


async def read(service: ComfyUIService, file: ResultFile) -> bytes:
    """Return the content of a file."""
    return await service.downloads.read(file)


# The key


def test_the_key_does_not_go_to_where_files_are_stored(tmp_path: Path) -> None:
    """Neither to the host in the URL nor to where that sends the client on."""
    with RawServer(content) as store:

        def respond(_: Request) -> bytes:
            return answer(302, b"", location=f"{store.url}/stored")

        with RawServer(respond) as server:
            service = service_for(server.url)
            (saved,) = run(
                service, service.download_outputs(made({"filename": "a.png", "url": f"{server.url}/f"}), tmp_path)
            )
            asked = [*server.requests, *store.requests]
    assert saved.read_bytes() == b"/stored"
    assert len(asked) == 2
    assert all("authorization" not in request.headers for request in asked)


# On a whole server


def test_the_picture_of_a_run_is_saved(service: ComfyUIService, tmp_path: Path) -> None:
    """By the id of the run; a picture that can be opened."""
    run_id = run(service, service.submit_request(workflow="text2img", inputs={"seed": 7, "width": 64, "height": 64}))
    run(service, service.wait_for_completion(run_id, timeout=10))
    (saved,) = run(service, service.download_outputs(run_id, tmp_path))
    assert saved.name.startswith(f"{run_id[:8]}_")
    with Image.open(saved) as picture:
        assert picture.size == (64, 64)
    (file,) = run(service, service.get_results(run_id))
    assert (file.kind, file.node_class) == ("image", "SaveImage"), "the class is looked up in the graph"
    assert run(service, read(service, file)) == saved.read_bytes()


def test_a_run_that_made_nothing_saves_nothing(service: ComfyUIService, tmp_path: Path) -> None:
    """The folder is there and empty."""
    run_id = run(service, service.submit_request(workflow="text2img", inputs={"prompt": "__fail__", "seed": 7}))
    run(service, service.wait_for_completion(run_id, timeout=10))
    assert run(service, service.download_outputs(run_id, tmp_path / "new")) == []
    assert (tmp_path / "new").is_dir()
    with pytest.raises(NotFoundError):
        run(service, service.download_outputs("malformed", tmp_path))


def test_a_text_that_a_run_made_is_saved_as_a_file(tmp_path: Path) -> None:
    """It came with the answer: nothing is fetched for it."""
    service = service_for("http://127.0.0.1:9")
    output = Output(data={"text": ["a caption", "ünother"]}, node_meta={"node_id": "4", "node_class": "ShowText"})
    saved = run(service, service.download_outputs(Run(id=RUN_ID, outputs=[output]), tmp_path))
    assert [path.name for path in saved] == ["01234567_text_4.txt", "01234567_text_4_2.txt"]
    assert [path.read_text("utf-8") for path in saved] == ["a caption", "ünother"]
