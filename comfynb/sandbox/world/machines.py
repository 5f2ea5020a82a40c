"""The machines of the sandbox's world."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MACHINES", "PRICES", "MachineSpec"]


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """A machine as the world begins with it; workflows and deployments name it by its key, which is its name."""

    name: str
    type: str
    status: str = "ready"
    gpu: str | None = None
    endpoint: str = "not-ready"
    deleted: bool = False
    known_as: str | None = None
    comfyui_version: str | None = None
    """None leaves it to the type; empty is not known."""
    concurrency_limit: int = 2
    run_timeout: int = 300
    idle_timeout: int = 60

    @property
    def key(self) -> str:
        """What workflows and deployments name it by."""
        return self.known_as or self.name


MACHINES: tuple[MachineSpec, ...] = (
    MachineSpec("studio-classic-a", "classic", endpoint="http://studio-a.sandbox.invalid:8188"),
    MachineSpec("studio-classic-b (RTX 4090)", "classic", endpoint="http://studio-b.sandbox.invalid:8188"),
    MachineSpec("serverless-a10g", "comfy-deploy-serverless", gpu="A10G"),
    MachineSpec("Serverless A100", "comfy-deploy-serverless", gpu="A100"),
    MachineSpec("serverless-h100", "comfy-deploy-serverless", gpu="H100"),
    MachineSpec("wan-builder", "comfy-deploy-serverless", "building", "L40S"),
    MachineSpec("office-box", "classic", "error", endpoint="http://office.sandbox.invalid:8188"),
    MachineSpec("render-farm-2", "classic", "paused", endpoint="http://farm-2.sandbox.invalid:8188"),
    MachineSpec("old-box", "classic", endpoint="http://old.sandbox.invalid:8188", deleted=True),
)

PRICES: dict[str, float] = {
    "CPU": 0.000042,
    "T4": 0.000291,
    "L4": 0.000321,
    "A10G": 0.000556,
    "L40S": 0.000975,
    "A100": 0.001389,
    "A100-80GB": 0.001708,
    "H100": 0.002338,
    "H200": 0.002914,
    "B200": 0.003842,
}
"""US dollars for a second on each GPU. Made up, in a believable order of size."""
