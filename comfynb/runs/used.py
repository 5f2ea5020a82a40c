"""What a run was really executed with, out of its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from comfynb.api.models import Run as RunModel
from comfynb.errors import NotFoundError
from comfynb.rules.graph import describe_graph
from comfynb.rules.text import tidy
from comfynb.runs.metadata import executed_graph, used_values
from comfynb.services.results import ResultFile

if TYPE_CHECKING:
    from comfynb.core import Core


async def used_values_of(
    core: Core, run: RunModel, files: Iterable[ResultFile], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what was really executed, seeds included, from the metadata of the first picture that has some.

    Parameters
    ----------
    core : Core
        The workspace.
    run : RunModel
        The run.
    files : iterable of ResultFile
        Its outputs.
    given : mapping
        What it was given, by input name.

    Returns
    -------
    dict
        Values by input name; seeds that no input controls as ``KSampler.seed (node 3)``.

    Raises
    ------
    NotFoundError
        If no picture has metadata: a machine can be set up not to write any.
    """
    provenance, names = core.comfyui.provenance, []
    version = await provenance.version(run)
    facts = describe_graph(version.workflow_api if version else None, version.workflow if version else None)
    definitions = await provenance.definitions(run)
    for file in files:
        names.append(tidy(file.filename, 60))
        if file.kind != "image" or file.url is None:
            continue
        graph = executed_graph(await core.comfyui.downloads.read(file))
        if graph is not None:
            return used_values(graph, definitions, facts.uncontrolled_seeds, given)
    what = f"The output {names[0]!r}" if len(names) == 1 else f"None of the {len(names)} outputs"
    raise NotFoundError(
        f"{what} of the run {run.id} {'does not tell' if len(names) == 1 else 'tells'} how it was made: only PNGs of "
        "machines that write metadata do."
    )
