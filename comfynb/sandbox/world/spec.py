"""What a world begins with, before it has ids and times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from comfynb.sandbox.installed import STANDARD, Installed
from comfynb.sandbox.world.deployments import DEPLOYMENTS, DeploymentSpec
from comfynb.sandbox.world.machines import MACHINES, MachineSpec
from comfynb.sandbox.world.workflows import WORKFLOWS, WorkflowSpec

__all__ = ["BUILT_IN", "WorldSpec"]


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """Machines, workflows and deployments, each from old to new.

    Parameters
    ----------
    machines, workflows, deployments : tuple
        What there is. Deployments and workflows name the others by their keys.
    installed : Installed
        The node classes that its machines have.
    history : int or None
        How many runs of the past it wants; None leaves it to the knob.
    """

    machines: tuple[MachineSpec, ...]
    workflows: tuple[WorkflowSpec, ...]
    deployments: tuple[DeploymentSpec, ...]
    installed: Installed = STANDARD
    history: int | None = None


BUILT_IN: Final = WorldSpec(MACHINES, WORKFLOWS, DEPLOYMENTS)
"""The world of a sandbox that was given no other."""
