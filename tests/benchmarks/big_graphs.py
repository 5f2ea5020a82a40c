"""Graphs of believable size for the benchmarks: 15 or 16 nodes, executed and drawn, no two alike."""

from __future__ import annotations

import random
from typing import Any

_SUBJECTS = ("a red fox", "a lighthouse", "an old tram in Lisbon", "a bowl of cherries", "two herons", "a glass city")
_PLACES = ("in the snow", "at night", "under a low sun", "seen from above", "in thick fog", "on a wooden table")
_STYLES = ("35 mm film", "oil on canvas", "ink and wash", "studio light", "isometric render", "long exposure")
_HELP = "Plain words work best."
_TYPES = {"NumberInt": "integer", "NumberSlider": "float"}

_OUTPUTS: dict[str, tuple[str, ...]] = {
    "CheckpointLoaderSimple": ("MODEL", "CLIP", "VAE"),
    "LoraLoader": ("MODEL", "CLIP"),
    "CLIPTextEncode": ("CONDITIONING",),
    "EmptyLatentImage": ("LATENT",),
    "VAEEncode": ("LATENT",),
    "KSampler": ("LATENT",),
    "SaveImage": (),
}


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"_meta": {"title": class_type}, "inputs": inputs, "class_type": class_type}


def _external(kind: str, name: str, default: Any, **more: Any) -> dict[str, Any]:
    label = name.replace("_", " ").capitalize()
    return _node(
        f"ComfyUIDeployExternal{kind}",
        input_id=name,
        default_value=default,
        display_name=label,
        description=_HELP if kind == "Text" else "",
        **more,
    )


def executed_graph(number: int) -> dict[str, Any]:
    """Return a graph as it is executed: from a text, every third from a picture, every fourth with a loose seed."""
    draw = random.Random(number)
    scene = ", ".join(draw.choice(words) for words in (_SUBJECTS, _PLACES, _STYLES)) + f", take {number}"
    from_picture, loose_seed = number % 3 == 1, number % 4 == 0
    graph: dict[str, Any] = {
        "4": _node("CheckpointLoaderSimple", ckpt_name=f"sd_xl_base_{number % 7}.safetensors"),
        "6": _node("CLIPTextEncode", text=["30", 0], clip=["11", 1]),
        "7": _node("CLIPTextEncode", text=["31", 0], clip=["11", 1]),
        "11": _node(
            "LoraLoader",
            lora_name=f"style_{number % 40}.safetensors",
            strength_model=0.8,
            strength_clip=0.8,
            model=["4", 0],
            clip=["4", 1],
        ),
        "3": _node(
            "KSampler",
            seed=draw.randrange(2**48) if loose_seed else ["34", 0],
            steps=["35", 0],
            cfg=["36", 0],
            sampler_name="dpmpp_2m",
            scheduler="karras",
            denoise=0.62 if from_picture else 1,
            model=["11", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["12" if from_picture else "5", 0],
        ),
        "8": _node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "20": _node("ImageSharpen", image=["8", 0], sharpen_radius=1, sigma=0.7, alpha=0.4),
        "9": _node("SaveImage", filename_prefix=f"workflow_{number}", images=["20", 0]),
        "30": _external("Text", "prompt", scene),
        "31": _external("Text", "negative_prompt", "blurry, watermark, text, low quality"),
        "35": _external("NumberInt", "steps", draw.randrange(8, 40), min_value=1, max_value=60),
        "36": _external("NumberSlider", "guidance", round(draw.uniform(3, 9), 1), min_value=1, max_value=20),
        "37": _external("Enum", "style", "plain", options='["plain", "ink", "oil", "film"]'),
    }
    if not loose_seed:
        graph["34"] = _external("Seed", "seed", -1, min_value=0, max_value=2**32 - 1)
    if from_picture:
        graph["10"] = _external("Image", "picture", "", default_value_url="https://files.example.com/start.png")
        graph["12"] = _node("VAEEncode", pixels=["10", 0], vae=["4", 2])
    else:
        graph["5"] = _node("EmptyLatentImage", width=["32", 0], height=["32", 0], batch_size=1)
        graph["32"] = _external("NumberInt", "size", 1024, min_value=64, max_value=2048)
    return graph


def drawn_graph(executed: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a graph as the editor of ComfyUI keeps it, with places, sizes, links and a note."""
    draw = random.Random(number)
    nodes: dict[str, dict[str, Any]] = {}
    links: list[list[Any]] = []
    for order, (key, node) in enumerate(executed.items()):
        class_type, inputs = node["class_type"], node["inputs"]
        kinds = _OUTPUTS.get(class_type, ("IMAGE",))
        nodes[key] = {
            "id": int(key),
            "type": class_type,
            "pos": [draw.randrange(-800, 2400), draw.randrange(-400, 900)],
            "size": [315, 58],
            "flags": {},
            "order": order,
            "mode": 0,
            "inputs": [],
            "outputs": [{"name": kind, "type": kind, "links": []} for kind in kinds],
            "properties": {},
            "widgets_values": [value for value in inputs.values() if not isinstance(value, list)],
        }
    for key, node in executed.items():
        taken = nodes[key]["inputs"]
        for name, value in node["inputs"].items():
            if isinstance(value, list):
                source = nodes[value[0]]["outputs"][value[1]]
                links.append([len(links) + 1, int(value[0]), value[1], int(key), len(taken), source["type"]])
                source["links"].append(len(links))
                taken.append({"name": name, "type": source["type"], "link": len(links)})
    note = {
        "id": 99,
        "type": "Note",
        "pos": [-900, -500],
        "size": [300, 120],
        "widgets_values": [f"Draws what the prompt says.\nMade for page {number} of the autumn catalogue."],
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


def input_types(executed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a server lists of a graph's inputs: it omits seeds, and drops the defaults of pictures."""
    rows = []
    for node in executed.values():
        kind = node["class_type"].removeprefix("ComfyUIDeployExternal")
        inputs = node["inputs"]
        if "input_id" in inputs and kind != "Seed":
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
                    "enum_options": ["plain", "ink", "oil", "film"] if kind == "Enum" else None,
                    "step": None,
                }
            )
    return rows
