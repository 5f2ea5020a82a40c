"""Fetching what a run made: its files, its pictures, and what its pictures tell of how they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comfynb.errors import NotFoundError
from comfynb.rules.graph import describe_graph
from comfynb.runs.metadata import executed_graph, used_values
from comfynb.runs.output import Output
from comfynb.runs.tracked import Tracked
from comfynb.services.downloads import read_file, save_files

FOLDER = "comfynb-outputs"
"""Where files are saved unless told otherwise."""


async def fetch_pictures(tracked: Tracked) -> list[Output]:
    """Return the pictures that it has made so far, with their content."""
    if tracked.state.seen.status != "success":  # also after another end outputs can still come
        await tracked.look()
    transport = tracked.core.comfyui.client.transport
    return [
        Output(file, tracked.core, await read_file(file, transport))
        for file in tracked.files
        if file.kind == "image" and file.url
    ]


async def download(tracked: Tracked, folder: str | Path = FOLDER) -> list[Path]:
    """Save everything that it made into a folder; return the paths, in the order of the outputs.

    Links of private outputs expire, so the run is read again first. Saving it again writes the same files again.
    """
    await tracked.look()
    return await save_files(tracked.files, Path(folder), tracked.core.comfyui.client.transport)


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
    run, provenance, transport = tracked.model, tracked.core.comfyui.provenance, tracked.core.comfyui.client.transport
    version = await provenance.version(run) if run is not None else None
    facts = describe_graph(version.workflow_api if version else None, version.workflow if version else None)
    definitions = await provenance.definitions(run) if run is not None else ()
    for file in tracked.files:
        if file.kind != "image" or file.url is None:
            continue
        graph = executed_graph(await read_file(file, transport))
        if graph is not None:
            return used_values(graph, definitions, facts.uncontrolled_seeds, tracked.inputs)
    raise NotFoundError(
        f"None of the {len(tracked.files)} outputs of the run {tracked.id} tells how it was made: only PNGs of "
        "machines that write metadata do."
    )
