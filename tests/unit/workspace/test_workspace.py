"""A workspace as a whole: how it is made, how it shows itself, what it changes, and its async twin."""

from __future__ import annotations

import asyncio
import gc
import inspect
import io
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

import comfynb
from comfynb import Sandbox, Workspace
from comfynb.errors import ConfigurationError

GRAPH = {"1": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}}
DOES_NO_IO = {
    "aio",
    "browse",
    "cache",
    "comfyui_service",
    "facts",
    "form",
    "last_run",
    "metrics",
    "names",
    "reload",
    "routing",
    "sandbox",
    "url",
    "workflows_service",
}
NAMESPACES = {"cache", "names", "routing"}
"""They have twins of their own, which `ws.aio` has under the same name."""


# How it is made


def test_connecting_asks_nothing_of_the_network(sandbox: Sandbox) -> None:
    """Nor does a workspace's text; both work where there is no server at all."""
    comfynb.connect(sandbox=sandbox)
    assert "not asked yet" in repr(comfynb.connect("http://127.0.0.1:9", "some-key"))
    assert sandbox.counters.total == 0


def test_without_a_key_it_says_what_to_do() -> None:
    """The variable, where keys are made, and the sandbox."""
    with pytest.raises(ConfigurationError) as caught:
        comfynb.connect()
    for part in ("COMFY_DEPLOY_API_KEY", "API Keys section", "comfynb.connect(sandbox=True)"):
        assert part in str(caught.value)


def test_the_environment_says_where_and_as_whom(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments come before it."""
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.api_key)
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", f"{sandbox.url}/api/")
    with comfynb.connect() as ws:
        assert ws.url == sandbox.url
        assert len(ws.workflows()) == 8
    with comfynb.connect(api_key=sandbox.other_api_key) as ws:
        assert len(ws.workflows()) == 0


def test_a_variable_makes_the_sandbox_the_default(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """So that a notebook runs unchanged in CI; an address, a key or `sandbox=False` comes before it."""
    monkeypatch.setenv("COMFYNB_SANDBOX", "1")
    with comfynb.connect() as ws:
        assert ws.sandbox is not None
        assert ws.sandbox.running
    assert not ws.sandbox.running
    with comfynb.connect(sandbox.url, sandbox.api_key) as ws:
        assert ws.sandbox is None
    with pytest.raises(ConfigurationError, match="No API key"):
        comfynb.connect(sandbox=False)


def test_a_sandbox_that_was_given_is_not_stopped(sandbox: Sandbox) -> None:
    """Only the one that `connect` started itself."""
    with comfynb.connect(sandbox=sandbox) as ws:
        assert ws.sandbox is sandbox
    assert sandbox.running


def test_every_option_of_connect_is_described() -> None:
    """In its docstring, with its unit."""
    text = inspect.getdoc(comfynb.connect) or ""
    for name in inspect.signature(comfynb.connect).parameters:
        assert f"\n{name} : " in text


@pytest.mark.meets("prefix")
@pytest.mark.parametrize("form", ["{url}", "{url}/", "{url}/api", "{url}/api/", "{bare}", "{bare}/api/v2/"])
@pytest.mark.parametrize("prefix", ["/api", ""])
def test_every_form_of_the_address_works(sandbox: Sandbox, form: str, prefix: str) -> None:
    """Also of a server that has its routes without `/api`."""
    sandbox.knobs.prefix = prefix
    url = form.format(url=sandbox.url, bare=sandbox.url.removeprefix("http://"))
    with comfynb.connect(url, sandbox.api_key) as ws:
        assert ws.url == sandbox.url
        assert ws.run("text2img", progress=False).status == "success"
    assert sandbox.counters.runs_created == 1


def test_what_cannot_work_starts_no_sandbox() -> None:
    """It would be left behind by the error."""
    before = threading.active_count()
    with pytest.raises(ConfigurationError, match="loop='uv' is unknown"):
        comfynb.connect(sandbox=True, loop="uv")
    assert threading.active_count() == before


def test_what_is_known_is_told_without_the_io_thread(ws: Workspace) -> None:
    """A cached answer is served where it is asked for, however busy the thread is."""
    known = (ws.catalog, ws.workflows, ws.machines, lambda: ws.workflow("text2img"), lambda: ws.inputs("inpaint"))
    for read in known:
        read()
    go_on = threading.Event()

    async def be_busy() -> None:
        go_on.wait(10)

    busy = ws._core.face.start(be_busy)
    try:
        for read in known:
            read()
        assert not busy.done()
    finally:
        go_on.set()
        busy.result(10)


def test_closing_ends_what_is_being_read(sandbox: Sandbox) -> None:
    """No connection is opened after it, and none is left open."""
    sandbox.knobs.latency = 0.2
    ws = comfynb.connect(sandbox=sandbox)
    reading = ws._core.face.start(ws._core.tables.catalog)
    while sandbox.counters.total == 0:
        time.sleep(0.001)
    ws.close()
    sandbox.knobs.latency = 0
    httpx.get(f"{sandbox.url}/api/me")  # what had been sent before it has been counted
    asked = sandbox.counters.total
    with pytest.raises(CancelledError):
        reading.result(10)
    del ws, reading
    gc.collect()  # an open socket would warn
    assert sandbox.counters.total == asked


def test_it_logs_and_never_prints(
    ws: Workspace, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """To the standard logger `comfynb`, each call at DEBUG."""
    caplog.set_level(logging.DEBUG, "comfynb")
    ws.run("text2img")
    ours = [record.getMessage() for record in caplog.records if record.name == "comfynb"]
    assert any(message.startswith("POST /run/deployment/queue 200 in") for message in ours)
    assert capfd.readouterr() == ("", "")


# How it shows itself


def test_displaying_it_says_where_it_is_and_what_it_has(ws: Workspace, sandbox: Sandbox) -> None:
    """It asks the server for that; its text and its HTML say the same."""
    bundle = ws._repr_mimebundle_()
    for part in (sandbox.url, "8 workflows", "20 deployments", "5 ready", "Ada Sandbox", "ws.catalog()", "read"):
        assert part in bundle["text/plain"]
        assert part in bundle["text/html"]
    before = sandbox.counters.total
    assert repr(ws) == bundle["text/plain"]
    assert sandbox.counters.total == before


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"html_answers": True}, "No ComfyDeploy API was found"),
        ({"truncate_next": 100}, "cannot be read"),
        ({"fail_next": 100, "fail_status": 500}, "failed on"),
    ],
)
def test_displaying_it_never_fails(sandbox: Sandbox, fault: dict[str, Any], words: str) -> None:
    """It says instead why the server could not be asked."""
    sandbox.knobs.change(**fault)
    with comfynb.connect(sandbox=sandbox) as ws:
        text = " ".join(ws._repr_mimebundle_()["text/plain"].split())
    assert text.startswith("not reachable")
    assert words in text


def test_a_server_that_is_not_there_is_told_in_one_sentence() -> None:
    """And nothing hangs."""
    with comfynb.connect("http://127.0.0.1:9", "some-key", retries=0) as ws:
        with pytest.raises(comfynb.TransportError, match="nothing answers there") as caught:
            ws.workflows()
        assert "\n" not in str(caught.value)
        assert "nothing answers there" in ws._repr_mimebundle_()["text/plain"].replace("\n  ", " ")


def test_a_refused_key_is_told_in_one_sentence(sandbox: Sandbox) -> None:
    """With what to do about it."""
    for key in (sandbox.revoked_api_key, "wrong-key-of-somebody"):
        with (
            comfynb.connect(sandbox.url, key) as ws,
            pytest.raises(comfynb.AuthenticationError, match=r"refused the API key .* check COMFY_DEPLOY_API_KEY"),
        ):
            ws.submit("text2img")
    assert sandbox.counters.runs_created == 0


def test_objects_display_themselves(ws: Workspace) -> None:
    """As cards in a notebook, and as text with the same facts."""
    for thing in (ws.workflow("inpaint"), ws.deployment("inpaint"), ws.machine("serverless-a10g")):
        assert thing.name in repr(thing)
        assert thing.name in thing._repr_html_()
        assert thing.id in repr(thing)
    assert "mask_image" in repr(ws.deployment("inpaint"))
    assert "production" in repr(ws.workflow("inpaint"))
    assert "MAKEIMAGE" in repr(ws.machine("serverless-a10g"))


# What it changes


def test_what_stands_is_not_replaced_without_being_told_to(ws: Workspace, sandbox: Sandbox) -> None:
    """The server would move production to another machine in silence; the error says what would be replaced."""
    standing = ws.deployment("text2img")
    with pytest.raises(comfynb.ConflictError, match="version 2 on 'studio-classic-a'") as caught:
        ws.create_deployment("text2img", machine="serverless-a10g")
    assert "replace=True" in str(caught.value)
    assert sandbox.counters.of("POST /deployment") == 0
    replaced = ws.create_deployment("text2img", machine="serverless-a10g", version=1, replace=True)
    assert replaced.id == standing.id
    assert (ws.deployment("text2img").machine, ws.deployment("text2img").version) == ("serverless-a10g", 1)


def test_a_deployment_is_moved_only_when_told_to(ws: Workspace, sandbox: Sandbox) -> None:
    """Settings that move nothing need no such word."""
    with pytest.raises(comfynb.ConflictError, match="for everybody"):
        ws.update_deployment("text2img", machine="serverless-a10g")
    assert sandbox.counters.of("PATCH") == 0
    ws.update_deployment("text2img", environment="staging", run_timeout=600)
    assert ws.deployment("text2img", environment="staging").run_timeout == 600
    with pytest.raises(comfynb.InputError, match="has no setting 'timeout'"):
        ws.update_deployment("text2img", timeout=600)


def test_a_workflow_gets_a_new_version_only_when_told_to(ws: Workspace) -> None:
    """Else there would be two of that name."""
    created = ws.upload_workflow("fresh", {"nodes": []}, GRAPH)
    with pytest.raises(comfynb.ConflictError, match="is called 'fresh' already"):
        ws.upload_workflow("fresh", {"nodes": []}, GRAPH)
    ws.upload_workflow("fresh", '{"nodes": []}', GRAPH, comment="two", replace=True)
    frame = ws.versions("fresh")
    assert frame["version"].tolist() == [2, 1]
    assert frame["comment"].iloc[0] == "two"
    assert ws.workflow("fresh").id == created.workflow_id  # type: ignore[union-attr]


def test_a_file_is_uploaded_and_can_be_an_input(ws: Workspace, tmp_path: Path) -> None:
    """A path or the content; its URL is what a run takes."""
    buffer = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(buffer, "PNG")
    (tmp_path / "mask.png").write_bytes(buffer.getvalue())
    with pytest.warns(comfynb.warnings.UploadWarning, match="everybody who knows the address"):
        first = ws.upload(tmp_path / "mask.png")
    for url in (first, ws.upload(buffer.getvalue(), "mask.png")):
        assert ws.run("inpaint", mask_image=url).status == "success"
    with pytest.raises(comfynb.InputError, match="no file"):
        ws.upload(tmp_path / "nothing.png")
    assert ws.upload(b"x").endswith(".bin")


# Its async twin


def test_the_async_twin_has_everything_that_does_io() -> None:
    """With the same signatures; only what asks nothing of the server has no twin."""
    names = {name for name in dir(Workspace) if not name.startswith("_")}
    with comfynb.connect("http://127.0.0.1:9", "some-key") as ws:
        assert names - DOES_NO_IO == set(dir(ws.aio)) & names - NAMESPACES
        for name in set(dir(ws.aio)) - NAMESPACES:
            assert inspect.signature(getattr(ws.aio, name)) == inspect.signature(getattr(ws, name)), name
            assert getattr(ws.aio, name).__doc__ == getattr(ws, name).__doc__
        for name in NAMESPACES:
            space = getattr(ws, name)
            assert dir(getattr(ws.aio, name)) == dir(space.aio)
            for each in dir(space.aio):
                assert inspect.signature(getattr(space.aio, each)) == inspect.signature(getattr(space, each)), each


def test_an_unknown_name_of_the_twin_lists_what_there_is(ws: Workspace) -> None:
    """As an AttributeError, so that `hasattr` works."""
    with pytest.raises(AttributeError, match=r"it has .*create_deployment"):
        ws.aio.nope  # noqa: B018
    assert not hasattr(ws.aio, "reload")


def test_the_async_twin_gives_the_same(ws: Workspace) -> None:
    """From an event loop that is not ours."""

    async def look() -> list[Any]:
        frames = await asyncio.gather(ws.aio.workflows(), ws.aio.machines(), ws.aio.inputs("text2img"))
        run = await ws.aio.run("text2img", {"prompt": "x"}, seed=3, timeout=30)
        found = await ws.aio.get_run(run.id)
        return [*(len(frame) for frame in frames), run.status, found.id == run.id, len(await ws.aio.outputs(run))]

    assert asyncio.run(look()) == [8, 8, 5, "success", True, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda aio: aio.submit("text2img", {"prompt": "x"}, prompt="x"),
        lambda aio: aio.submit("text2img", promt="x"),
        lambda aio: aio.run("text2img", stall=0),
        lambda aio: aio.prepare("nope"),
    ],
)
def test_the_async_twin_refuses_the_same(ws: Workspace, sandbox: Sandbox, call: Callable[[Any], Any]) -> None:
    """Before anything is sent."""
    with pytest.raises(comfynb.ComfyError):
        asyncio.run(call(ws.aio))
    assert sandbox.counters.runs_created == 0
