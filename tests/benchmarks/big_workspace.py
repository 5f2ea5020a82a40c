"""A server with a big workspace, for the benchmarks: prebuilt bytes in the shapes that a ComfyDeploy server sends.

Run as a program it serves on loopback until it is stopped, and prints its port first.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

WORKFLOWS = 500
DEPLOYMENTS = 2 * WORKFLOWS
FLUID_EVERY = 10
MACHINES = 12
API_KEY = "key-of-the-big-workspace"

_draw = random.Random(11)
_SUBJECTS = ("a red fox", "a lighthouse", "an old tram in Lisbon", "a bowl of cherries", "two herons", "a glass city")
_PLACES = ("in the snow", "at night", "under a low sun", "seen from above", "in thick fog", "on a wooden table")
_STYLES = ("35 mm film", "oil on canvas", "ink and wash", "studio light", "isometric render", "long exposure")
_KINDS = ("Text to Image", "portrait", "product shot", "img2img", "upscale", "inpaint")
_HELP = "Describe the picture in plain words. Short sentences work better than lists of keywords."

_OUTPUTS = {
    "CheckpointLoaderSimple": ("MODEL", "CLIP", "VAE"),
    "LoraLoader": ("MODEL", "CLIP"),
    "CLIPTextEncode": ("CONDITIONING",),
    "EmptyLatentImage": ("LATENT",),
    "VAEEncode": ("LATENT",),
    "KSampler": ("LATENT",),
    "SaveImage": (),
    "PreviewImage": (),
}


def _id() -> str:
    return str(UUID(int=_draw.getrandbits(128), version=4))


def _scene() -> str:
    return ", ".join(
        (_draw.choice(_SUBJECTS), _draw.choice(_PLACES), _draw.choice(_STYLES), f"take {_draw.randrange(1000)}")
    )


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


# -- graphs -----------------------------------------------------------------------------------------------------------


def _external(kind: str, name: str, default: Any, label: str, **more: Any) -> dict[str, Any]:
    inputs = {"input_id": name, "default_value": default, "display_name": label, "description": _HELP, **more}
    return {"_meta": {"title": label}, "inputs": inputs, "class_type": f"ComfyUIDeployExternal{kind}"}


def _node(class_type: str, title: str, **inputs: Any) -> dict[str, Any]:
    return {"_meta": {"title": title}, "inputs": inputs, "class_type": class_type}


def executed_graph(number: int) -> dict[str, Any]:
    """Return the graph that is executed, of 16 to 19 nodes."""
    from_image = number % 3 == 1
    graph: dict[str, Any] = {
        "4": _node("CheckpointLoaderSimple", "Load Checkpoint", ckpt_name=f"sd_xl_base_{number % 7}.safetensors"),
        "6": _node("CLIPTextEncode", "Positive", text=["30", 0], clip=["11", 1]),
        "7": _node("CLIPTextEncode", "Negative", text=["31", 0], clip=["11", 1]),
        "11": _node(
            "LoraLoader",
            "Load LoRA",
            lora_name=f"style_{number % 40}.safetensors",
            strength_model=0.8,
            strength_clip=0.8,
            model=["4", 0],
            clip=["4", 1],
        ),
        "3": _node(
            "KSampler",
            "KSampler",
            seed=["34", 0] if number % 4 else _draw.randrange(2**48),
            steps=["35", 0],
            cfg=["36", 0],
            sampler_name="dpmpp_2m",
            scheduler="karras",
            denoise=0.62 if from_image else 1,
            model=["11", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["12" if from_image else "5", 0],
        ),
        "8": _node("VAEDecode", "VAE Decode", samples=["3", 0], vae=["4", 2]),
        "20": _node("ImageSharpen", "Sharpen", image=["8", 0], sharpen_radius=1, sigma=0.7, alpha=0.4),
        "9": _node("SaveImage", "Save Image", filename_prefix=f"workflow_{number}", images=["20", 0]),
        "21": _node("PreviewImage", "Preview", images=["8", 0]),
        "30": _external("Text", "prompt", _scene(), "Prompt"),
        "31": _external("Text", "negative_prompt", "blurry, watermark, text, low quality", "Negative prompt"),
        "35": _external("NumberInt", "steps", _draw.randrange(8, 40), "Steps", min_value=1, max_value=60),
        "36": _external("NumberSlider", "cfg", round(_draw.uniform(3, 9), 1), "Guidance", min_value=1, max_value=20),
        "37": _external("Enum", "style", "plain", "Style", options='["plain", "ink", "oil", "film"]'),
    }
    if number % 4:
        graph["34"] = _external("Seed", "seed", -1, "Seed", min_value=0, max_value=2**32 - 1)
    if from_image:
        graph["10"] = _external("Image", "image", "", "Picture", default_value_url="https://files.example.com/a.png")
        graph["12"] = _node("VAEEncode", "VAE Encode", pixels=["10", 0], vae=["4", 2])
    else:
        graph["5"] = _node("EmptyLatentImage", "Empty", width=["32", 0], height=["33", 0], batch_size=1)
        graph["32"] = _external("NumberInt", "width", 1024, "Width", min_value=64, max_value=2048)
        graph["33"] = _external("NumberInt", "height", 1024, "Height", min_value=64, max_value=2048)
    return graph


def drawn_graph(executed: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the same graph as the editor of ComfyUI keeps it, with a note."""
    nodes: dict[str, dict[str, Any]] = {}
    for order, (key, node) in enumerate(executed.items()):
        class_type = node["class_type"]
        names = _OUTPUTS.get(class_type, ("IMAGE",))
        nodes[key] = {
            "id": int(key),
            "type": class_type,
            "pos": [_draw.randrange(-800, 2400), _draw.randrange(-400, 900)],
            "size": [315, 58 + 24 * len(node["inputs"])],
            "flags": {},
            "order": order,
            "mode": 0,
            "inputs": [],
            "outputs": [{"name": n, "type": n, "links": [], "slot_index": i} for i, n in enumerate(names)],
            "properties": {"Node name for S&R": class_type},
            "widgets_values": [value for value in node["inputs"].values() if not isinstance(value, list)],
        }
    links: list[list[Any]] = []
    for key, node in executed.items():
        for name, value in node["inputs"].items():
            if isinstance(value, list):
                source, slot = value
                outputs = nodes[source]["outputs"]
                kind = outputs[slot]["type"] if slot < len(outputs) else "*"
                number_of_link = len(links) + 1
                if slot < len(outputs):
                    outputs[slot]["links"].append(number_of_link)
                inputs = nodes[key]["inputs"]
                links.append([number_of_link, int(source), slot, int(key), len(inputs), kind])
                inputs.append({"name": name, "type": kind, "link": number_of_link})
    note = {
        "id": 99,
        "type": "Note",
        "pos": [-900, -500],
        "size": [300, 120],
        "flags": {},
        "order": len(nodes),
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {"text": ""},
        "widgets_values": [f"Workflow {number}: draws a picture of what the prompt says.\nMade for the autumn catalogue."],
    }
    return {
        "last_node_id": 99,
        "last_link_id": len(links),
        "nodes": [*nodes.values(), note],
        "links": links,
        "groups": [],
        "config": {},
        "extra": {"ds": {"scale": 0.7, "offset": [310.5, 122.25]}},
        "version": 0.4,
    }


# -- rows -------------------------------------------------------------------------------------------------------------

_TYPES = {"NumberInt": "integer", "NumberSlider": "float"}


def _input_types(executed: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for node in executed.values():
        kind = node["class_type"].removeprefix("ComfyUIDeployExternal")
        inputs = node["inputs"]
        if "input_id" not in inputs or kind == "Seed":  # the server omits seeds, and the default of a picture
            continue
        rows.append(
            {
                "type": _TYPES.get(kind, "string"),
                "class_type": node["class_type"],
                "input_id": inputs["input_id"],
                "default_value": None if kind == "Image" else inputs["default_value"],
                "min_value": inputs.get("min_value"),
                "max_value": inputs.get("max_value"),
                "display_name": inputs["display_name"],
                "description": inputs["description"],
                "enum_options": json.loads(inputs["options"]) if "options" in inputs else None,
                "step": None,
            }
        )
    return rows


def _moment(number: int, template: str) -> str:
    return template.format(1 + number % 28, number % 24, number % 60, (number * 7919) % 1_000_000)


def _deployment(workflow: dict[str, Any], number: int, environment: str, version: int, machine_id: str) -> bytes:
    executed = executed_graph(number)
    made = _moment(number, "2026-10-{:02d}T{:02d}:{:02d}:17.{:06d}"[:-6]) + "412Z"
    version_id = _id()
    return _dump(
        {
            "id": _id(),
            "user_id": workflow["user_id"],
            "org_id": None,
            "workflow_version_id": version_id,
            "workflow_id": workflow["id"],
            "machine_id": machine_id,
            "share_slug": None,
            "description": None,
            "share_options": None,
            "showcase_media": None,
            "environment": environment,
            "created_at": made,
            "updated_at": made,
            "workflow": {"id": workflow["id"], "name": workflow["name"], "cover_url": None},
            "version": {
                "id": version_id,
                "workflow_id": workflow["id"],
                "workflow": drawn_graph(executed, number),
                "workflow_api": executed,
                "comment": "better hands",
                "version": version,
                "dependencies": None,
                "snapshot": None,
                "comfyui_snapshot": None,
                "machine_id": machine_id,
                "machine_version_id": None,
                "user_id": workflow["user_id"],
                "created_at": made,
                "updated_at": made,
            },
            "machine": None,
            "input_types": _input_types(executed),
            "output_types": [],
            "dub_link": None,
            "gpu": None,
            "machine_version_id": None,
            "modal_image_id": None,
            "concurrency_limit": 2,
            "run_timeout": 300,
            "idle_timeout": 60,
            "keep_warm": 0,
            "activated_at": None,
        }
    )


def lists() -> dict[str, list[bytes]]:
    """Return the rows of each list as the bytes in which they are sent."""
    user = "user_2bigWorkspaceAda000000001"
    machines = [
        {
            "id": _id(),
            "user_id": user,
            "name": f"render farm {number}",
            "created_at": _moment(number, "2026-09-{:02d}T{:02d}:{:02d}:02.{:06d}"),
            "updated_at": _moment(number, "2026-09-{:02d}T{:02d}:{:02d}:02.{:06d}"),
            "type": "classic" if number % 2 else "comfy-deploy-serverless",
            "org_id": None,
            "status": "ready",
            "gpu": "A10G",
            "machine_version": None,
            "machine_builder_version": "4",
            "comfyui_version": None,
            "import_failed_logs": None,
            "machine_version_id": None,
            "is_workspace": False,
        }
        for number in range(MACHINES)
    ]
    found: dict[str, list[bytes]] = {"workflows": [], "workflows/all": [], "plain": [], "fluid": []}
    for number in range(WORKFLOWS):
        machine_id = machines[number % MACHINES]["id"]
        workflow = {"id": _id(), "name": f"{_draw.choice(_KINDS)} {number}", "user_id": user}
        made, changed = "2026-09-{:02d}{}{:02d}:{:02d}:01.{:06d}", number % 28 + 1
        day, hour, minute, micro = changed, number % 24, number % 60, (number * 7919) % 1_000_000
        found["workflows"].append(
            _dump(
                {
                    "id": workflow["id"],
                    "name": workflow["name"],
                    "created_at": made.format(day, " ", hour, minute, micro),
                    "updated_at": made.format(day, " ", hour, minute, micro),
                    "pinned": number < 3,
                    "cover_image": None,
                    "user_name": "Ada Example",
                    "user_id": user,
                    "selected_machine_id": machine_id,
                    "user_icon": "https://img.example.com/ada.png",
                }
            )
        )
        found["workflows/all"].append(
            _dump(
                {
                    "id": workflow["id"],
                    "user_id": user,
                    "org_id": None,
                    "name": workflow["name"],
                    "selected_machine_id": machine_id,
                    "created_at": made.format(day, "T", hour, minute, micro),
                    "updated_at": made.format(day, "T", hour, minute, micro),
                    "pinned": number < 3,
                    "deleted": False,
                    "description": None if number % 3 else f"Number {number} of the catalogue.",
                    "cover_image": None,
                }
            )
        )
        for environment, version in (("production", 2), ("staging", 3)):
            fluid = environment == "staging" and number % FLUID_EVERY == 0
            found["fluid" if fluid else "plain"].append(
                _deployment(workflow, number, environment, version, machine_id)
            )
    found["machines"] = [_dump(machine) for machine in machines]
    return found
