"""Tables that several displays have: inputs, deployments, versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from comfynb.display.card import Table
from comfynb.display.words import moment, shown
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.text import tidy

if TYPE_CHECKING:
    from comfynb.objects.infos import DeploymentInfo, VersionInfo

__all__ = ["deployments_table", "inputs_table", "versions_table"]

_MOST_ROWS = 60


def inputs_table(definitions: Sequence[InputDefinition], version: int | None = None) -> Table:
    """Return a table of the inputs of a version: name, what it takes, what happens without a value, help.

    Examples
    --------
    >>> prompt = InputDefinition("prompt", "Prompt", "ComfyUIDeployExternalText", "text")
    >>> inputs_table([prompt]).rows
    (('prompt', 'text', 'required', 'Prompt'),)
    """
    return Table(
        "inputs" if version is None else f"inputs of version {version}",
        ("name", "takes", "default", "about"),
        tuple((each.name, each.type_word, _default(each), _about(each)) for each in definitions),
        "it takes none",
    )


def versions_table(versions: Sequence[VersionInfo]) -> Table:
    """Return a table of a workflow's versions."""
    rows: list[tuple[str | None, ...]] = [
        (None if each.version is None else str(each.version), each.id, moment(each.created), each.comment or "")
        for each in versions[:_MOST_ROWS]
    ]
    if len(versions) > _MOST_ROWS:
        rows.append(("…", f"and {len(versions) - _MOST_ROWS} more", "", ""))
    return Table("versions", ("version", "id", "created", "comment"), tuple(rows), "it has none, and cannot be run")


def deployments_table(deployments: Sequence[DeploymentInfo], *, of: str) -> Table:
    """Return a table of deployments.

    Parameters
    ----------
    deployments : sequence of DeploymentInfo
        The rows.
    of : {"workflow", "machine"}
        Whose deployments they are; that itself is no column.
    """
    rows: list[tuple[str | None, ...]] = []
    for each in deployments[:_MOST_ROWS]:
        version = None if each.version is None else str(each.version)
        if of == "workflow":
            rows.append((each.environment, version, _place(each), each.id))
        else:
            rows.append((each.name, each.environment, version, each.id))
    if len(deployments) > _MOST_ROWS:
        rows.append(("…", f"and {len(deployments) - _MOST_ROWS} more", "", ""))
    if of == "workflow":
        return Table("deployments", ("environment", "version", "machine", "id"), tuple(rows), "it has none")
    return Table("deployments", ("workflow", "environment", "version", "id"), tuple(rows), "none")


def _place(info: DeploymentInfo) -> str | None:
    if info.machine is None:
        return f"{info.machine_id}, which does not exist" if info.machine_id else "none"
    return f"{tidy(info.machine, 60)}, {info.machine_status or 'status not known'}"


def _default(definition: InputDefinition) -> str:
    if definition.kind == "seed" and not definition.has_fixed_seed:
        return "drawn if not given"
    if definition.has_default:
        return shown(definition.default)
    return "required" if definition.required else "optional"


def _about(definition: InputDefinition) -> str:
    label = definition.label if definition.label != definition.name else ""
    parts = [tidy(part, 300) for part in (label, definition.description) if part]
    about = ": ".join(parts)
    if definition.problem:
        about = f"{about} ({tidy(definition.problem, 200)})".strip()
    return about
