"""The API key is in nothing that is shown, logged, raised, stored or handed on, even when the server echoes it."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from faults import KEY, RawServer, Request, answer, json_answer, text_answer
from nbclient import NotebookClient

import comfynb
from comfynb.cli.app import run as run_command
from comfynb.sandbox import Sandbox

Look = Callable[[comfynb.Workspace], Any]

LOOKS: tuple[Look, ...] = (
    lambda ws: ws,
    lambda ws: ws.workflows(),
    lambda ws: ws.deployments(),
    lambda ws: ws.machines(),
    lambda ws: ws.catalog(),
    lambda ws: ws.versions("text2img"),
    lambda ws: ws.inputs("text2img"),
    lambda ws: ws.runs(workflow="text2img", limit=5),
    lambda ws: ws.runs(limit=5),
    lambda ws: ws.workflow("text2img"),
    lambda ws: ws.deployment("text2img"),
    lambda ws: ws.machine("studio-classic-a"),
    lambda ws: ws.prepare("text2img", prompt="x", width="wide"),
    lambda ws: ws.run("text2img", prompt="x"),
    lambda ws: ws.run("text2img", prompt="__fail__"),
    lambda ws: ws.run("text2img", prompt="__machine_down__", check=False).explain(),
    lambda ws: ws.run("text2img", prompt="__freeze__", stall=0.02),
    lambda ws: ws.run("text2img", prompt="x").used_inputs(),
    lambda ws: ws.run("text2img", prompt="x").outputs[0],
    lambda ws: ws.run("text2img", prompt="x").timeline,
    lambda ws: ws.outputs(ws.run("text2img", prompt="x")),
    lambda ws: ws.submit("MAKEIMAGE").cancel(),
    lambda ws: ws.get_run("00000000-0000-4000-8000-000000000000"),
    lambda ws: ws.upload(b"x", "x.png"),
    lambda ws: ws.create_deployment("text2img", machine="studio-classic-a"),
    lambda ws: ws.workflow("nope"),
    lambda ws: ws.run("nope"),
    lambda ws: ws.run("text2img", promt="x"),
    lambda ws: ws.run("text2img", machine="office-box"),
    lambda ws: asyncio.run(ws.aio.catalog()),
    lambda ws: ws.workflows_service,
    lambda ws: ws.comfyui_service,
    lambda ws: ws.comfyui_service.client,
    lambda ws: ws.comfyui_service.client.transport,
    lambda ws: ws.aio,
    lambda ws: ws.sandbox,
    lambda ws: ws.facts(),
    lambda ws: ws._core,
    lambda ws: ws.url,
    lambda ws: ws.health(),
    lambda ws: ws.watch_health(every=3600),
    lambda ws: ws.metrics,
    lambda ws: ws.metrics(),
    lambda ws: ws.metrics(by="runs"),
    lambda ws: ws.metrics.text(),
)

FEW: tuple[Look, ...] = (
    lambda ws: ws,
    lambda ws: ws.catalog(),
    lambda ws: ws.run("text2img", prompt="x"),
    lambda ws: ws.get_run("00000000-0000-4000-8000-000000000000"),
    lambda ws: ws.upload(b"x", "x.png"),
    lambda ws: ws.health(),
)
"""What meets all kinds of requests, for servers that answer none of them well."""


class Shown(io.StringIO):
    """Everything that a person or a file could get to see."""

    def add(self, thing: Any) -> None:
        """Add an object in every form in which it is shown or stored."""
        for form in (repr, str, lambda it: repr(vars(it)), lambda it: f"{it}", lambda it: repr(dir(it))):
            with suppress(TypeError):
                self.write(form(thing))
        for name in ("_repr_html_", "_repr_mimebundle_", "_repr_markdown_", "to_dict", "describe"):
            with suppress(TypeError, ValueError, AttributeError):
                self.write(repr(getattr(thing, name)()))
        if isinstance(thing, pd.DataFrame):
            self.write(thing.to_string() + thing.to_html() + thing.to_csv() + repr(thing.attrs))
        with suppress(TypeError, AttributeError, pickle.PicklingError):
            self.write(pickle.dumps(thing).decode("latin-1"))

    def add_error(self, error: BaseException) -> None:
        """Add an error with its traceback, its attributes and its causes."""
        self.write("".join(traceback.format_exception(error)))
        self.write("".join(getattr(error, "__notes__", [])))
        self.add(error)


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Shown]:
    """Collect what is shown, everything that is logged included."""
    caplog.set_level(logging.DEBUG)
    everything = Shown()
    yield everything
    everything.close()


def look_at_everything(ws: comfynb.Workspace, shown: Shown, looks: tuple[Look, ...] = LOOKS) -> int:
    """Take looks, whatever comes of them; return how many did not end in an error."""
    good = 0
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for look in looks:
            try:
                shown.add(look(ws))
                good += 1
            except comfynb.ComfyError as error:
                shown.add_error(error)
            shown.add(ws)
        if ws.last_run is not None:
            shown.add(ws.last_run)
        for warning in told:
            shown.write(warnings.formatwarning(warning.message, warning.category, warning.filename, warning.lineno))
    return good


def all_of(shown: Shown, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    """Return everything that was collected."""
    logged = "\n".join(f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records)
    told = capfd.readouterr()
    return shown.getvalue() + logged + caplog.text + told.out + told.err


def found(key: str, text: str) -> bool:
    """Whether a key, or an unmistakable part of it, is in a text."""
    return any(part in text for part in (key, key.split(".")[-1], key[-20:]))


def test_nothing_shows_the_key(
    ws: comfynb.Workspace,
    sandbox: Sandbox,
    shown: Shown,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not what is displayed, logged, warned of, raised or pickled."""
    assert look_at_everything(ws, shown) > 25
    everything = all_of(shown, caplog, capfd)
    assert len(everything) > 100_000
    assert "GET /workflows" in everything
    assert not found(sandbox.api_key, everything)


def test_a_server_that_repeats_the_key_in_its_rows_is_blanked(
    sandbox: Sandbox,
    short_looks: None,
    shown: Shown,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In names, descriptions, comments, inputs and addresses."""
    key = sandbox.api_key
    for workflow in sandbox.world.workflows.values():
        workflow.description = f"made with {key}"
    for version in sandbox.world.versions.values():
        version.comment = f"Bearer {key}"
    sandbox.world.machine_named("serverless-a10g").name = f"serverless {key}"
    with comfynb.connect(sandbox=sandbox) as ws:
        good = look_at_everything(ws, shown)
        assert ws.workflow("text2img").description == "made with ***"
    assert good > 25
    assert not found(key, all_of(shown, caplog, capfd))


def echo(status: int, content_type: str) -> Callable[[Request], bytes]:
    """Return what answers every request with the key that it came with, in body and headers."""

    def respond(request: Request) -> bytes:
        header = request.headers.get("authorization", "")
        body = json.dumps({"detail": f"what of {header}?"}) if "json" in content_type else f"<p>{header} is no key</p>"
        elsewhere = f"https://host/?cd_token={header[7:]}"
        return answer(status, body.encode(), content_type, location=elsewhere, x_key=header)

    return respond


@pytest.mark.parametrize(
    ("status", "content_type"),
    [(200, "text/html"), (302, "text/plain"), (401, "application/json"), (404, "text/plain"), (500, "text/plain")],
)
def test_a_server_that_repeats_the_key_in_its_errors_is_blanked(
    status: int,
    content_type: str,
    shown: Shown,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In bodies of any kind, in headers, in the address of a redirect."""
    with RawServer(echo(status, content_type)) as server, comfynb.connect(server.url, KEY, retries=0) as ws:
        look_at_everything(ws, shown, FEW)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert not found(KEY, all_of(shown, caplog, capfd))


def test_answers_that_cannot_be_read_do_not_show_the_key(
    shown: Shown, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Cut off, of another shape, or no JSON at all."""
    shapes = [
        json_answer([{"id": 7, "name": {"key": KEY}}]),
        json_answer({"rows": KEY}),
        answer(200, f'[{{"name": "{KEY}'.encode(), "application/json"),
        text_answer(KEY, 200, "application/json"),
        b"HTTP/1.1 200 " + KEY.encode() + b"\r\ncontent-length: 2\r\n\r\n[]",
        KEY.encode() + b"\r\n\r\n",
    ]
    for shape in shapes:
        server = RawServer(lambda request, shape=shape: shape)  # type: ignore[misc]
        with server, comfynb.connect(server.url, KEY, retries=0) as ws:
            look_at_everything(ws, shown, FEW)
    assert not found(KEY, all_of(shown, caplog, capfd))


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": KEY},
        {"url": f"https://{KEY}@host"},
        {"url": f"https://user:{KEY}@host", "api_key": "x"},
        {"api_key": f"{KEY} {KEY}"},
        {"api_key": f"{KEY}\n{KEY}"},
        {"api_key": f"{KEY}ä"},
        {"api_key": KEY, "url": "nonsense://"},
        {"api_key": KEY, "loop": "x"},
        {"api_key": KEY, "sandbox": True},
    ],
)
def test_a_key_in_the_wrong_place_is_not_repeated(arguments: dict[str, Any], shown: Shown) -> None:
    """As the address, in the address, or with something around it."""
    with pytest.raises(comfynb.ConfigurationError) as caught:
        comfynb.connect(**arguments)
    shown.add_error(caught.value)
    assert not found(KEY, "".join(traceback.format_exception_only(caught.value)) + repr(caught.value))


def test_a_workspace_cannot_be_pickled_and_its_copies_show_nothing(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Its tables can be, and take no key along."""
    with pytest.raises(TypeError):
        pickle.dumps(ws)
    assert not found(sandbox.api_key, repr(copy.copy(ws)) + repr(vars(copy.copy(ws))))
    for frame in (ws.workflows(), ws.catalog(), ws.runs(limit=3)):
        assert not found(sandbox.api_key, pickle.dumps(frame).decode("latin-1"))
        assert pickle.loads(pickle.dumps(frame)).attrs == frame.attrs  # noqa: S301 - our own


@pytest.mark.parametrize(
    "words",
    [
        ["api"],
        ["workflow"],
        ["workflow", "--json"],
        ["workflow", "--execute", "--json"],
        ["workflow", "-i", "prompt=__fail__", "--execute"],
        ["workflow", "nope"],
        ["workflow", "--machine", "office-box", "--execute"],
    ],
)
def test_no_command_shows_the_key(
    sandbox: Sandbox,
    short_looks: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    """Not on either stream, not in a log."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.api_key)
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", sandbox.url)
    run_command(words)
    told = capfd.readouterr()
    assert not found(sandbox.api_key, told.out + told.err + caplog.text)


CELLS = (
    "import logging; logging.basicConfig(level=logging.DEBUG)",
    "import comfynb\nws = comfynb.connect()\nws",
    "ws.catalog()",
    "ws.deployment('text2img')",
    "run = ws.run('text2img', prompt='a red fox')\nrun",
    "run.outputs[0]",
    "ws.runs(workflow='text2img', limit=3)",
    "ws.run('text2img', prompt='__fail__')",
    "ws.run('nope')",
    "vars(ws)",
)


def test_a_saved_notebook_does_not_contain_the_key(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Outputs, tracebacks, logs and the state of widgets included."""
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.api_key)
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", sandbox.url)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True, store_widget_state=True).execute()
    path = tmp_path / "saved.ipynb"
    nbformat.write(notebook, path)
    saved = path.read_text(encoding="utf-8")
    for part in ("text2img", "image/png", "RunFailed", "No workflow is called", "DEBUG:comfynb", "widget-state"):
        assert part in saved
    assert not found(sandbox.api_key, saved)
