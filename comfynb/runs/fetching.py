"""Fetching what a run made: its files, its pictures, and what its pictures tell of how they were made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comfynb.errors import NotFoundError
from comfynb.runs.output import Output
from comfynb.runs.tracked import Tracked
from comfynb.runs.used import used_values_of
from comfynb.services.manifest import write_manifest
from comfynb.services.results import ResultFile
from comfynb.services.uploading import Moved

FOLDER = "comfynb-outputs"
"""Where files are saved unless told otherwise."""


async def look_for_outputs(tracked: Tracked) -> None:
    """Look again where more can have come: after a success no more does, after any other end it can."""
    if tracked.state.seen.status != "success":
        await tracked.look()


async def fetch_pictures(tracked: Tracked) -> list[Output]:
    """Return the pictures that it has made so far, with their content."""
    await look_for_outputs(tracked)
    downloads = tracked.core.comfyui.downloads
    return [
        Output(file, tracked.core, content=await downloads.read(file))
        for file in tracked.files
        if file.kind == "image" and file.url
    ]


async def download(tracked: Tracked, folder: Path, moved: Moved | None = None) -> list[Path]:
    """Save everything that a run made into a folder; see `Run.download`."""
    await tracked.look()  # links of private outputs expire
    return await save([(tracked, tracked.files)], folder, moved)


async def save(
    chosen: Sequence[tuple[Tracked, Sequence[ResultFile]]], folder: Path, moved: Moved | None = None
) -> list[Path]:
    """Save files of runs into a folder, with a manifest beside them.

    Parameters
    ----------
    chosen : sequence of (Tracked, files)
        The runs, and what to save of each.
    folder : pathlib.Path
        Where to; it is made if needed.
    moved : callable, optional
        Told how far a file has come.
    """
    if not chosen:
        return []
    downloads = chosen[0][0].core.comfyui.downloads
    saved = await downloads.save([file for _, files in chosen for file in files], folder, moved)
    of_run = {tracked.id: tracked for tracked, _ in chosen}
    for each in saved:
        of_run[each.file.run_id].saved[each.file.key] = each.path
    for tracked in of_run.values():
        if tracked.model is None:
            await tracked.look()
    runs = [(tracked.model, tracked.name) for tracked in of_run.values() if tracked.model is not None]
    if saved:
        await asyncio.to_thread(write_manifest, folder, runs, saved)
    return [each.path for each in saved]


async def used_inputs(tracked: Tracked) -> dict[str, Any]:
    """Return what was really executed, seeds included, from the metadata of its pictures.

    Returns
    -------
    dict
        Values by input name; seeds that no input controls as ``KSampler.seed (node 3)``.

    Raises
    ------
    NotFoundError
        If none of its pictures has metadata: a machine can be set up not to write any.
    """
    await tracked.look()
    if tracked.model is None:
        raise NotFoundError(f"The run {tracked.id} cannot be read, so what it used is not known.")
    return await used_values_of(tracked.core, tracked.model, tracked.files, tracked.inputs)
