"""The methods of a handle that ask the server, as coroutine functions for any event loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.face import Twin
from comfynb.rules.observing import STALL
from comfynb.rules.waiting import DEFAULT_TIMEOUT
from comfynb.runs.fetching import FOLDER, download, fetch_pictures, look_for_outputs
from comfynb.runs.repeating import prepare_again
from comfynb.runs.tracked import Tracked
from comfynb.runs.transfers import downloading
from comfynb.runs.waiting import shown, until_end

if TYPE_CHECKING:
    from PIL.Image import Image

    from comfynb.runs.run import Run
    from comfynb.widgets.gallery import Gallery


def run_twin(run: Run, tracked: Tracked) -> Twin:
    """Return the twin of a handle.

    Parameters
    ----------
    run : Run
        The handle.
    tracked : Tracked
        What is known of its run.
    """
    face = tracked.core.face

    async def refresh() -> Run:
        await face.acall(tracked.look)
        return run

    async def wait(
        timeout: float | None = DEFAULT_TIMEOUT,
        *,
        check: bool = True,
        stall: float = STALL,
        progress: bool | None = None,
    ) -> Run:
        # Who awaits mostly waits for several at once, or has a display of its own: a bar is shown when it is asked for.
        with shown(tracked, bool(progress)):
            return await face.acall(lambda: until_end(tracked, run, timeout, check=check, stall=stall))

    async def images() -> list[Image]:
        return [picture.to_pil() for picture in await face.acall(lambda: fetch_pictures(tracked))]

    async def again(*arguments: Any, **changes: Any) -> Run:
        prepared = await face.acall(lambda: prepare_again(tracked, *arguments, **changes))
        tracked.core.comfyui.uploads.announce(prepared.files)
        return await face.acall(lambda: tracked.core.launch(prepared))

    async def save(folder: str | Path = FOLDER, *, progress: bool | None = None) -> list[Path]:
        with downloading(tracked.name, len(tracked.files), bool(progress)) as moved:
            return await face.acall(lambda: download(tracked, Path(folder), moved))

    async def gallery() -> Gallery:
        from comfynb.widgets.gallery import Gallery

        await face.acall(lambda: look_for_outputs(tracked))
        return Gallery(run)

    return Twin(run, "run", refresh=refresh, wait=wait, images=images, rerun=again, download=save, gallery=gallery)
