"""The deployments of the sandbox's world."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BROKEN_DEPLOYMENT", "DEPLOYMENTS", "DeploymentSpec"]

CLASSIC_A = "studio-classic-a"
CLASSIC_B = "studio-classic-b (RTX 4090)"
A10G = "serverless-a10g"
A100 = "Serverless A100"
H100 = "serverless-h100"
PAUSED = "render-farm-2"


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """A deployment: keys of workflow and machine, number of the version; `fluid` ones hide from the plain list."""

    workflow: str
    environment: str
    version: int
    machine: str
    fluid: bool = False
    gpu: str | None = None
    known_as: str = ""
    """Tells it apart from another one of the same workflow in the same environment."""
    description: str | None = None
    concurrency_limit: int = 2
    run_timeout: int = 300
    idle_timeout: int = 0
    keep_warm: int = 0


DEPLOYMENTS: tuple[DeploymentSpec, ...] = (
    DeploymentSpec("text2img", "production", 2, CLASSIC_A),
    DeploymentSpec("text2img", "staging", 3, A10G),
    DeploymentSpec("text2img", "preview", 3, CLASSIC_A),
    DeploymentSpec("text2img", "public-share", 2, CLASSIC_B),
    DeploymentSpec("Text to Image", "production", 1, CLASSIC_B),
    DeploymentSpec("Text to Image", "staging", 1, A100, fluid=True),
    DeploymentSpec("Text to Image", "preview", 1, CLASSIC_B),
    DeploymentSpec("inpaint", "production", 1, CLASSIC_A),
    DeploymentSpec("inpaint", "staging", 1, CLASSIC_B),
    DeploymentSpec("inpaint", "preview", 1, CLASSIC_A),
    DeploymentSpec("img2vid - wan 2.1", "production", 1, H100),
    DeploymentSpec("img2vid - wan 2.1", "staging", 1, H100, fluid=True),
    DeploymentSpec("upscale_esrgan", "production", 1, PAUSED),
    DeploymentSpec("upscale_esrgan", "staging", 1, CLASSIC_B),
    DeploymentSpec("MAKEIMAGE", "production", 2, A100),
    DeploymentSpec("MAKEIMAGE", "staging", 1, A10G, gpu="L40S"),
    DeploymentSpec("MAKEIMAGE", "preview", 2, A100, fluid=True),
    DeploymentSpec("MAKEIMAGE", "public-share", 1, A10G),
    DeploymentSpec("poster print (BROKEN)", "production", 2, CLASSIC_B),
    DeploymentSpec("poster print (BROKEN)", "staging", 1, CLASSIC_B),
)

BROKEN_DEPLOYMENT = DeploymentSpec("style transfer (wip)", "staging", 1, CLASSIC_B)
"""The deployment that the knob `broken_workflow` adds: in staging, so that a list of production is not broken."""
