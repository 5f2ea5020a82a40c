"""How long our tables take, against bare pandas on the same rows. Run it: `python tests/benchmarks/bench_frames.py`.

The two sides of a ratio are timed in turns in one process, and their medians are compared.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pandas as pd

from comfynb.api.models import Deployment, ListedRun, Machine, Version, Workflow
from comfynb.frames import catalog_frame, deployments_frame, runs_frame, workflows_frame
from comfynb.rules.graph import describe_graph
from comfynb.rules.inputs import input_definitions
from comfynb.services.isolation import DeploymentList

ROUNDS = 7
RUNS = 10_000
WORKFLOWS = 500
LIMIT_RUNS = 1.5
LIMIT_CATALOG_MS = 60.0

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


def graph() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the executed and the drawn graph of a text to image workflow of about 20 nodes."""

    def external(kind: str, name: str, default: Any, **more: Any) -> dict[str, Any]:
        inputs = {"input_id": name, "display_name": name.replace("_", " "), "default_value": default, **more}
        return {"class_type": f"ComfyUIDeployExternal{kind}", "inputs": inputs, "_meta": {"title": name}}

    executed: dict[str, Any] = {
        "1": external("Text", "prompt", "a red fox"),
        "2": external("Text", "negative_prompt", "blurry"),
        "3": external("NumberInt", "width", 1024, min_value=64, max_value=2048),
        "4": external("NumberInt", "height", 1024, min_value=64, max_value=2048),
        "5": external("NumberSlider", "cfg", 7.5, min_value=0, max_value=20),
        "6": external("Seed", "seed", -1),
        "7": external("Enum", "sampler", "euler", options='["euler", "ddim"]'),
        "8": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "base.safetensors"}},
        "9": {"class_type": "LoraLoader", "inputs": {"model": ["8", 0], "clip": ["8", 1], "lora_name": "ink"}},
        "10": {"class_type": "CLIPTextEncode", "inputs": {"text": ["1", 0], "clip": ["9", 1]}},
        "11": {"class_type": "CLIPTextEncode", "inputs": {"text": ["2", 0], "clip": ["9", 1]}},
        "12": {"class_type": "EmptyLatentImage", "inputs": {"width": ["3", 0], "height": ["4", 0], "batch_size": 1}},
        "13": {
            "class_type": "KSampler",
            "inputs": {"seed": ["6", 0], "cfg": ["5", 0], "sampler_name": ["7", 0], "positive": ["10", 0]},
        },
        "14": {"class_type": "VAEDecode", "inputs": {"samples": ["13", 0], "vae": ["8", 2]}},
        "15": {"class_type": "ImageScale", "inputs": {"image": ["14", 0], "width": 2048}},
        "16": {"class_type": "ImageSharpen", "inputs": {"image": ["15", 0], "sigma": 1}},
        "17": {"class_type": "ImageBlend", "inputs": {"image1": ["15", 0], "image2": ["16", 0]}},
        "18": {"class_type": "PreviewImage", "inputs": {"images": ["14", 0]}},
        "19": {"class_type": "ImageInvert", "inputs": {"image": ["17", 0]}},
        "20": {"class_type": "SaveImage", "inputs": {"images": ["19", 0], "filename_prefix": "ComfyUI"}},
    }
    drawn: dict[str, Any] = {
        "nodes": [
            *({"id": int(key), "type": node["class_type"], "widgets_values": []} for key, node in executed.items()),
            {"id": 99, "type": "Note", "widgets_values": ["Draws a picture of the prompt.\nGood at animals."]},
        ]
    }
    return executed, drawn


def workspace() -> tuple[list[Workflow], DeploymentList, list[Machine]]:
    """Return 500 workflows with two deployments each, on eight machines."""
    machines = [Machine(id=_id(), name=f"machine {n}", type="classic", status="ready") for n in range(8)]
    workflows: list[Workflow] = []
    deployments: list[Deployment] = []
    for number in range(WORKFLOWS):
        machine = machines[number % len(machines)]
        executed, drawn = graph()
        workflow = Workflow(
            id=_id(),
            name=f"Text to Image {number}",
            created_at=_START,
            updated_at=_START,
            pinned=False,
            user_name="Ada",
            selected_machine_id=machine.id,
        )
        version = Version(id=_id(), workflow_id=workflow.id, version=3, workflow=drawn, workflow_api=executed)
        input_types = [
            {"input_id": node["inputs"]["input_id"], "class_type": node["class_type"], "type": "string"}
            for node in executed.values()
            if "input_id" in node["inputs"] and "Seed" not in node["class_type"]
        ]
        workflows.append(workflow)
        deployments += [
            Deployment(
                id=_id(),
                workflow_id=workflow.id,
                workflow_version_id=version.id,
                machine_id=machine.id,
                environment=environment,
                created_at=_START,
                updated_at=_START,
                version=version,
                input_types=input_types,
            )
            for environment in ("production", "staging")
        ]
    return workflows, DeploymentList(tuple(deployments)), machines


def medians(*sides: Callable[[], object]) -> list[float]:
    """Return the median milliseconds of each side; they take turns."""
    taken: list[list[float]] = [[] for _ in sides]
    for side in sides:
        side()
    for _ in range(ROUNDS):
        for side, times in zip(sides, taken, strict=True):
            gc.collect()
            began = time.perf_counter()
            side()
            times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in taken]


def main() -> None:
    """Measure, and print one line for each figure."""
    workflows, listed, machines = workspace()

    deployments = listed.deployments
    rows = [
        run_row(workflows[n % 20].id, _id(), machines[n % 8].id, deployments[2 * (n % 20)].id, n) for n in range(RUNS)
    ]
    runs = [ListedRun.model_validate(row) for row in rows]
    decoded = [run.model_dump() for run in runs]

    def tables() -> pd.DataFrame:
        return runs_frame(runs, workflows=workflows, machines=machines, deployments=deployments)

    ours, wire, bare = medians(tables, lambda: pd.json_normalize(rows), lambda: pd.json_normalize(decoded))
    print(f"{'what':<58}{'ms':>9}{'against':>10}{'ratio':>8}{'limit':>8}")
    print(
        f"{f'runs_frame, {RUNS:,} runs / json_normalize of the wire rows':<58}{ours:>9.1f}{wire:>10.1f}"
        f"{ours / wire:>8.2f}{LIMIT_RUNS:>8.2f}"
    )
    print(
        f"{f'runs_frame, {RUNS:,} runs / json_normalize of decoded rows':<58}{ours:>9.1f}{bare:>10.1f}"
        f"{ours / bare:>8.2f}{LIMIT_RUNS:>8.2f}"
    )

    def rules() -> None:
        for deployment in deployments[::2]:
            version = deployment.version
            assert version is not None
            describe_graph(version.workflow_api, version.workflow)
            input_definitions(deployment.input_types, version.workflow_api)

    table, catalog, analysis, standing = medians(
        lambda: workflows_frame(workflows, deployments, machines),
        lambda: catalog_frame(workflows, listed, machines),
        rules,
        lambda: deployments_frame(listed, workflows, machines),
    )
    print()
    print(f"{'what':<58}{'ms':>9}{'limit':>8}")
    print(f"{f'workflows_frame, {WORKFLOWS} workflows':<58}{table:>9.1f}{'':>8}")
    print(f"{f'deployments_frame, {len(deployments):,} deployments':<58}{standing:>9.1f}{'':>8}")
    print(f"{f'catalog_frame, {WORKFLOWS} workflows':<58}{catalog:>9.1f}{'':>8}")
    print(f"{'  of which reading the graphs (rules)':<58}{analysis:>9.1f}{'':>8}")
    print(f"{'  of which the rest':<58}{catalog - analysis:>9.1f}{LIMIT_CATALOG_MS:>8.1f}")


if __name__ == "__main__":
    main()
