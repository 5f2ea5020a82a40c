"""How long the table of 10,000 decoded runs takes, against `pandas.json_normalize` of the same rows.

Run it: `python tests/benchmarks/bench_frames.py`. The bare side is measured on the rows as they were sent, and on the
decoded ones.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pandas as pd
from figures import Figure, medians, show, timed

from comfynb.api.models import Deployment, ListedRun, Machine, Workflow
from comfynb.frames import runs_frame

RUNS = 10_000
WORKFLOWS = 20
MACHINES = 8
LIMIT = 1.5

_START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_DRAW = random.Random(7)
_GPUS = ("T4", "L4", "A10G", "A100", "H100")
_SCENES = ("a red fox in the snow", "a lighthouse at night", "a bowl of cherries", "an old tram in Lisbon")
_STATUSES = ("success",) * 9 + ("failed",)


def _id() -> str:
    return str(UUID(int=_DRAW.getrandbits(128), version=4))


def _clock(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_row(workflow_id: str, version_id: str, machine_id: str, deployment_id: str, number: int) -> dict[str, Any]:
    """Return one row as the v1 list of a workflow's runs has it, but for the graphs, which are dropped before."""
    created = _START + timedelta(seconds=number * 97)
    queued = created + timedelta(milliseconds=_DRAW.randrange(200, 4000))
    started = queued + timedelta(milliseconds=_DRAW.randrange(500, 9000))
    ended = started + timedelta(milliseconds=_DRAW.randrange(3000, 30000))
    status = _DRAW.choice(_STATUSES)
    run_id = _id()
    data: dict[str, Any] = {
        "images": [
            {
                "url": f"https://files.example.com/outputs/runs/{run_id}/ComfyUI_00001_.png",
                "type": "output",
                "filename": "ComfyUI_00001_.png",
                "is_public": True,
                "subfolder": "",
                "upload_duration": 0.41,
            }
        ]
    }
    if status == "failed":
        data = {
            "node_id": "3",
            "node_type": "KSampler",
            "exception_type": "torch.OutOfMemoryError",
            "exception_message": "CUDA out of memory. Tried to allocate 2.00 GiB.",
            "traceback": ['  File "execution.py", line 1, in execute\n'] * 12,
        }
    return {
        "id": run_id,
        "status": status,
        "live_status": "Executing SaveImage",
        "progress": 1.0,
        "workflow_id": workflow_id,
        "workflow_version_id": version_id,
        "deployment_id": deployment_id,
        "machine_id": machine_id,
        "machine_type": "comfy-deploy-serverless",
        "machine_version": None,
        "gpu": _DRAW.choice(_GPUS),
        "gpu_event_id": None,
        "origin": "api",
        "batch_id": None,
        "user_id": "user_1",
        "org_id": None,
        "model_id": None,
        "is_realtime": False,
        "webhook": None,
        "webhook_status": None,
        "webhook_intermediate_status": False,
        "modal_function_call_id": f"fc-{number:024d}",
        "created_at": _clock(created),
        "updated_at": _clock(ended),
        "queued_at": _clock(queued),
        "started_at": _clock(started),
        "ended_at": _clock(ended),
        "duration": f"{(ended - created).total_seconds():.6f}",
        "comfy_deploy_cold_start": f"{(queued - created).total_seconds():.6f}",
        "cold_start_duration": f"{(started - queued).total_seconds():.6f}",
        "cold_start_duration_total": f"{(started - created).total_seconds():.6f}",
        "run_duration": f"{(ended - started).total_seconds():.6f}",
        "workflow_inputs": {
            "prompt": _DRAW.choice(_SCENES),
            "negative_prompt": "blurry, text",
            "seed": _DRAW.randrange(1, 2**32),
            "cfg": round(_DRAW.uniform(3, 9), 1),
        },
        "outputs": [
            {
                "id": _id(),
                "run_id": run_id,
                "data": data,
                "node_meta": {"node_id": "9", "node_class": "SaveImage"},
                "created_at": _clock(ended),
                "updated_at": _clock(ended),
            }
        ],
        "version": {"id": version_id, "version": 1 + number % 5},
    }


def measure() -> list[Figure]:
    """Measure the three sides in turns."""
    machines = [Machine(id=_id(), name=f"machine {n}", type="classic", status="ready") for n in range(MACHINES)]
    workflows = [Workflow(id=_id(), name=f"Text to Image {n}") for n in range(WORKFLOWS)]
    deployments = [
        Deployment(id=_id(), workflow_id=workflow.id, environment="production", machine_id=machines[0].id)
        for workflow in workflows
    ]
    rows = [
        run_row(workflows[n % WORKFLOWS].id, _id(), machines[n % MACHINES].id, deployments[n % WORKFLOWS].id, n)
        for n in range(RUNS)
    ]
    runs = [ListedRun.model_validate(row) for row in rows]
    decoded = [run.model_dump() for run in runs]
    ours, bare, sent = medians(
        timed(lambda: runs_frame(runs, workflows=workflows, machines=machines, deployments=deployments)),
        timed(lambda: pd.json_normalize(decoded)),
        timed(lambda: pd.json_normalize(rows)),
    )
    return [
        Figure(f"table of {RUNS:,} runs / json_normalize of the decoded rows", ours, bare, LIMIT),
        Figure(f"table of {RUNS:,} runs / json_normalize of the rows as sent", ours, sent, LIMIT),
    ]


if __name__ == "__main__":
    show(measure())
