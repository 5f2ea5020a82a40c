"""A handle on any event loop: every method that asks the server can be awaited, and none blocks the loop."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import comfynb
from comfynb.bridge import IOThread
from comfynb.runs import waiting
from comfynb.runs.progress import Progress
from comfynb.sandbox import Sandbox

ASKING = {"cancel", "download", "gallery", "explain", "images", "refresh", "rerun", "used_inputs", "wait"}
KNOWN = {
    "aio",
    "created_at",
    "ended",
    "error",
    "facts",
    "id",
    "inputs",
    "machine",
    "machine_id",
    "model",
    "name",
    "outputs",
    "prepared",
    "progress",
    "queue_position",
    "seconds",
    "stage",
    "stalled",
    "status",
    "timeline",
    "trouble",
    "view",
}


def test_a_handle_shows_an_analysts_words_and_no_others(ws: comfynb.Workspace) -> None:
    """After `run.` and a tab."""
    run = ws.submit("text2img")
    assert {name for name in dir(run) if not name.startswith("_")} == ASKING | KNOWN


def test_the_twin_has_every_method_that_asks(ws: comfynb.Workspace) -> None:
    """With the same signatures and docstrings; an unknown name lists them."""
    run = ws.submit("text2img")
    assert set(dir(run.aio)) == ASKING
    for name in ASKING:
        twin = getattr(run.aio, name)
        assert inspect.iscoroutinefunction(twin)
        assert inspect.signature(twin) == inspect.signature(getattr(run, name)), name
        assert twin.__doc__ == getattr(run, name).__doc__
    with pytest.raises(AttributeError, match=r"run\.aio has no 'status'; it has cancel, download"):
        run.aio.status  # noqa: B018


def test_a_run_is_done_with_coroutines_alone(ws: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path) -> None:
    """From the submit to the picture, and again."""

    async def main() -> None:
        run = await ws.aio.submit("text2img", prompt="a red fox", seed=7)
        assert await run.aio.refresh() is run
        assert await run.aio.wait(30) is run
        assert (await run.aio.explain()).status == run.status == "success"
        (picture,) = await run.aio.images()
        assert picture.size == (512, 512)
        (path,) = await run.aio.download(tmp_path)
        assert path.parent == tmp_path
        assert (await run.aio.used_inputs())["seed"] == 7
        again = await run.aio.rerun({"prompt": "a blue fox"}, seed=8)
        assert again.inputs == {"prompt": "a blue fox", "seed": 8}
        assert ws.last_run is again
        assert (await again.aio.cancel()).outcome in ("already ended", "cannot cancel")
        assert (await again).status == "success"

    asyncio.run(main())
    assert sandbox.counters.runs_created == 2


def test_it_is_the_same_run_on_every_loop(ws: comfynb.Workspace) -> None:
    """One loop after the other, on the thread of the connections, and without any."""
    run = ws.submit("text2img")

    async def refresh() -> comfynb.Run:
        found: comfynb.Run = await run.aio.refresh()
        return found

    assert asyncio.run(refresh()) is run
    assert IOThread.get().run(refresh) is run
    assert asyncio.run(refresh()).wait().status == "success"


def test_several_are_awaited_at_once(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The loop goes on while they wait: together they take as long as one."""
    runs = [ws.run("text2img", prompt=f"fox {number}") for number in range(4)]
    sandbox.knobs.latency = 0.3

    async def main() -> float:
        begun = time.monotonic()
        await asyncio.gather(*(run.aio.refresh() for run in runs))
        return time.monotonic() - begun

    assert asyncio.run(main()) < 4 * 0.3


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda run: run.aio.wait(), comfynb.RunFailed),
        (lambda run: run.aio.used_inputs(), comfynb.NotFoundError),
        (lambda run: run.aio.rerun(promt="x"), comfynb.InputError),
        (lambda run: run.aio.wait(0), comfynb.InputError),
    ],
)
def test_errors_are_the_same(ws: comfynb.Workspace, call: Callable[[comfynb.Run], Any], kind: type[Exception]) -> None:
    """Those of a wait carry the handle."""
    run = ws.submit("text2img", prompt="__fail__")
    run.wait(check=False)

    async def main() -> None:
        with pytest.raises(kind) as caught:
            await call(run)
        assert getattr(caught.value, "run", run) is run

    asyncio.run(main())


@pytest.mark.parametrize(("progress", "shown"), [(None, 0), (False, 0), (True, 1)])
def test_a_bar_is_shown_where_it_is_asked_for(
    ws: comfynb.Workspace, monkeypatch: pytest.MonkeyPatch, progress: bool | None, shown: int
) -> None:
    """Who awaits several runs at once wants no bar of each."""
    bars: list[str] = []

    def count(title: str, wanted: bool | None = None) -> Progress:
        bars.extend([title] if wanted is not False else [])
        return Progress()

    monkeypatch.setattr(waiting, "progress_for", count)
    asyncio.run(ws.aio.run("text2img", progress=progress))
    assert bars == ["text2img"] * shown
