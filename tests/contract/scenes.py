"""Worlds that a copy of a workspace has to cope with: one of everything, and one of hostile texts."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from comfynb.sandbox.world.graph import Graph

Json = dict[str, Any]

ENVIRONMENTS = ("production", "staging", "preview", "public-share", "private-share", "community-share")
STATUSES = ("not-started", "ready", "building", "error", "running", "paused", "starting")
TYPES = ("classic", "runpod-serverless", "modal-serverless", "comfy-deploy-serverless", "workspace", "workspace-v2")

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves the cursor, ends a line or turns the direction of writing."""
MARK = "INJECTED"
"""Stands at the beginning of a line of its own, where somebody lets a line break through."""

HOSTILE = {
    "script": "<script>alert(1)</script><b onclick='x()'>bold</b>",
    "tag": "\"><img src=x onerror=alert(1)><a href='javascript:alert(2)'>a</a>",
    "entity": "&lt;i&gt; &amp;amp; &#60;u&#62; ]]> <!-- -->",
    "markdown": "# big | a | b |\n|---|---|\n[x](javascript:alert(1)) **b** `c` $x^2$",
    "lines": f"one\n{MARK} two\r\n{MARK} three\r{MARK} four\x0b{MARK}\x0c{MARK}\x85{MARK}\u2028{MARK}\u2029{MARK}",
    "ansi": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x1b[1;1H \x9b31m \x1b]8;;http://x.invalid\x1b\\link\x1b]8;;\x1b\\",
    "turned": "\u202etxet\u202c \u2066a\u2069 \u200fb\u200e \u202a\u202b",
    "long": "words and words " * 640,
    "solid": "x" * 10_240,
    "braces": "{0} {name!r} {{}} %s %(a)d $HOME ${x} {{ jinja }} {% raw %} \\N{SNOWMAN} \\u0041",
    "control": "".join(map(chr, [*range(32), *range(127, 160)])),
    "emoji": "👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈 ﷽ 狐 z̴̡̛͎̱̅ \ufeff\u200b\u00ad",
    "quotes": "'\"`´\\\\ '''\"\"\" \\' \\\" \\n",
    "blanks": "  both \t sides  ",
    "numbers": "1e400 NaN Infinity -0 0x10 true null",
    "sheet": '=HYPERLINK("http://x.invalid") @SUM(A1) +1 -1',
    "shell": "; rm -rf / && `id` $(id) | cat > ../../etc/hosts ..\\..\\CON",
    "id": "00000000-0000-4000-8000-000000000000",
}
"""Texts by what is bad about them."""


def sampling(name: str, *, prefix: str = "picture", text: object = "a shoe") -> Graph:
    """Return a graph that makes a picture."""
    graph = Graph()
    model = graph.add("CheckpointLoaderSimple", ckpt_name="sd15.safetensors")
    prompt = graph.external("Text", "prompt", f"{name} prompt", "What is seen", default_value=text)
    positive = graph.add("CLIPTextEncode", clip=model[1], text=prompt[0])
    latent = graph.add("EmptyLatentImage", width=64, height=64, batch_size=1)
    settings = {"seed": 3, "steps": 2, "cfg": 6.5, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}
    links = {"model": model[0], "positive": positive[0], "negative": positive[0], "latent_image": latent[0]}
    sampler = graph.add("KSampler", **settings, **links)
    picture = graph.add("VAEDecode", samples=sampler[0], vae=model[2])
    graph.add("SaveImage", images=picture[0], filename_prefix=prefix)
    return graph


def graphs(graph: Graph, notes: tuple[str, ...] = (), *, fixed: bool = False, inner: tuple[str, ...] = ()) -> Json:
    """Return both graphs of a version: with notes, a fixed seed, and notes inside of a subgraph."""
    for note in notes:
        graph.note(note)
    drawn = graph.ui()
    if fixed:
        for node in drawn["nodes"]:
            if node["type"] == "KSampler":
                node["widgets_values"] = [3, "fixed", 2]
    if inner:
        nodes = [
            {"id": 70 + place, "type": "MarkdownNote", "widgets_values": [each]} for place, each in enumerate(inner)
        ]
        drawn["definitions"] = {"subgraphs": [{"id": "inside", "name": "inner", "nodes": nodes, "links": []}]}
    return {"workflow_api": graph.api(), "workflow": drawn}


def grouped() -> Json:
    """Return graphs whose inputs have an order, groups, limits, options and defaults of every kind."""
    graph = Graph()
    graph.external("Number", "strength", "Strength", default_value=-0.25)
    graph.external("NumberInt", "count", default_value=12)
    graph.external("NumberSlider", "cfg", "CFG", default_value=6.5, min_value=1, max_value=12.5)
    graph.external("NumberSliderInt", "steps", "Steps", default_value=20, min_value=1, max_value=60)
    graph.external("Boolean", "hires", "Hi-res", default_value=True)
    graph.external("Enum", "style", "Style", options=json.dumps(["plain", " festive ", "été"]), default_value="été")
    graph.external("Seed", "seed", "Seed", min_value=1, max_value=4294967295, default_value=-1)
    graph.external("Image", "photo", "Photo", default_value_url="https://files.example.com/shoes/red.png")
    graph.external("ImageBatch", "photos", "Photos", images='["https://files.example.com/a.png"]')
    graph.external("Lora", "lora", "LoRA", default_lora_name="grain.safetensors", bearer_token="", lora_url="")
    graph.external("Checkpoint", "model", "Model", default_value="sd15.safetensors")
    graph.external("Text", "required one", "")
    graph.external("Text", "linked", default_value=["1", 0])
    graph.external("Text", "twice", default_value="first")
    graph.external("Text", "twice", default_value="second")
    graph.external("FaceModel", "face", default_face_model_name="ada.safetensors")
    graph.add("SaveImage", images=["8", 0], filename_prefix="grouped")
    both = graphs(graph)
    for place, node in enumerate(both["workflow_api"].values()):
        node["_meta"] |= {"cd_input_order": 40 - place, "cd_input_group_id": f"g{place % 2}", "cd_group_name": "Größe"}
    return both


def broken(*, label: bool) -> Json:
    """Return graphs that break the lists of deployments: with a label that is null, or options that are no JSON."""
    both = graphs(sampling("broken"))
    node = next(each for each in both["workflow_api"].values() if each["class_type"].startswith("ComfyUIDeploy"))
    if label:
        node["inputs"]["display_name"] = None
    else:
        node["class_type"], node["inputs"]["options"] = "ComfyUIDeployExternalEnum", "oil, ink"
    return both


def everything() -> Json:
    """Return a world in which there is one of everything, and two of some."""
    machines: list[Json] = [{"name": f"{kind} box", "type": kind, "gpu": None} for kind in TYPES]
    machines += [{"name": f"box that is {status}", "status": status} for status in STATUSES]
    machines += [
        {"name": "cloud", "gpu": "A100", "comfyui_version": "0.3.64", "concurrency_limit": 7, "idle_timeout": 0},
        {"name": "odd cloud ", "gpu": "RTX 9090 Ti", "comfyui_version": "", "run_timeout": 4000},
        {"name": "old box", "deleted": True},
        {"name": "older box, on which nothing is", "deleted": True},
        {"name": "twin", "key": "twin one"},
        {"name": "twin", "key": "twin two", "status": "error"},
        {"name": "", "key": "a machine without a name"},
    ]
    plain = graphs(sampling("plain"))
    workflows: list[Json] = [
        {"name": "shoes", "machine": "classic box", "description": "On white.\n\nAsk before changes.", "pinned": True},
        {"name": "shoes ", "machine": "odd cloud ", "cover_image": "https://files.example.com/covers/shoes.png"},
        {"name": "Shoes", "machine": "old box"},
        {"name": "Bild → Vidéo 🎬", "machine": "cloud", "pinned": True},
        {"name": "twin", "key": "first twin", "machine": "twin two"},
        {"name": "twin", "key": "second twin"},
        {"name": "", "key": "a workflow without a name", "machine": "a machine without a name"},
        {"name": "???", "machine": "box that is paused"},
    ]
    for place, each in enumerate(workflows):
        each["versions"] = [{"number": 1, "comment": f"number {place} ", **plain}]
    workflows[0]["versions"] = [
        {"number": number, "comment": comment, "machine": machine, **graphs(sampling(f"v{number}"), fixed=number == 5)}
        for number, comment, machine in (
            (1, "first", "classic box"),
            (2, "", ""),
            (5, "as discussed\non Friday", "cloud"),
            (6, "Größer 🎬", "old box"),
            (7, "newest", "classic box"),
        )
    ]
    workflows[1]["versions"][0] |= graphs(
        sampling("noted"), ("Read me first.\n- one\n- two", " "), inner=("Deep down",)
    )
    workflows += [
        {"name": "groups", "machine": "classic box", "versions": [{"comment": "all kinds", **grouped()}]},
        {"name": "empty", "machine": "classic box", "versions": []},
        {"name": "nowhere", "versions": []},
        {"name": "no nodes", "machine": "cloud", "versions": [{"workflow_api": {}, "workflow": {}}]},
        {"name": "broken label", "machine": "classic box", "versions": [{**plain}, {**broken(label=True)}, {**plain}]},
        {"name": "broken options", "machine": "cloud", "versions": [{**broken(label=False)}]},
        {
            "name": "editor's graph",
            "machine": "cloud",
            "versions": [{"as_is": True, "workflow_api": {"nodes": None, "links": None}, "workflow": {"nodes": []}}],
        },
        {
            "name": "many",
            "machine": "cloud",
            "versions": [{"number": n, "comment": f"no. {n}", **plain} for n in range(1, 31)],
        },
    ]
    deployments: list[Json] = [
        {"workflow": "shoes", "environment": environment, "version": (1, 2, 5, 6, 7, 7)[place], "machine": machine}
        for place, (environment, machine) in enumerate(
            zip(
                ENVIRONMENTS,
                ("cloud", "classic box", "old box", "box that is error", "twin two", "twin one"),
                strict=True,
            )
        )
    ]
    deployments += [
        {"workflow": "shoes ", "environment": environment, "fluid": True, "machine": "cloud", "gpu": "H100"}
        for environment in ENVIRONMENTS
    ]
    deployments += [
        {
            "workflow": "groups",
            "environment": "production",
            "description": "With <care>",
            "concurrency_limit": 9,
            "run_timeout": 1234,
            "idle_timeout": 55,
            "keep_warm": 2,
        },
        {"workflow": "groups", "environment": "production", "key": "another", "machine": "odd cloud ", "gpu": "T4"},
        {"workflow": "groups", "environment": "staging", "run_timeout": 0, "concurrency_limit": 0},
        {"workflow": "first twin", "environment": "production"},
        {"workflow": "second twin", "environment": "staging", "machine": "twin two"},
        {"workflow": "a workflow without a name", "environment": "preview"},
        {"workflow": "???", "environment": "production", "machine": "runpod-serverless box"},
        {"workflow": "no nodes", "environment": "production"},
        {"workflow": "broken label", "environment": "production", "version": 1},
        {"workflow": "broken label", "environment": "staging", "version": 2},
        {"workflow": "broken options", "environment": "preview", "fluid": True},
        {"workflow": "many", "environment": "production", "version": 3},
    ]
    return {"history": 0, "machines": machines, "workflows": workflows, "deployments": deployments}


def hostile(words: dict[str, str]) -> Json:
    """Return a world in which these texts stand wherever somebody can write one.

    Parameters
    ----------
    words : dict of str to str
        The texts by harmless keys.
    """
    machines = [{"name": text, "key": key, "gpu": text, "comfyui_version": text} for key, text in words.items()]
    workflows, deployments = [], []
    for key, text in words.items():
        graph = sampling(text, prefix=text, text=text)
        graph.external("Enum", f"style {text}", text, text, options=json.dumps([text, "plain"]), default_value=text)
        graph.external("Text", text, text, text, default_value=text)
        graph.external(
            "Image",
            f"{text} picture",
            text,
            text,
            default_value_url=f"https://files.example.com/{quote(text, errors='replace')}",
        )
        graph.external("Lora", "lora", text, text, default_lora_name=text)
        graph.add(f"Save {text}", title=text, **{text: text})
        both = graphs(graph, (text,), inner=(text,))
        for node in both["workflow_api"].values():
            node["_meta"]["cd_group_name"] = text
        row = {"name": text, "key": key, "description": text, "cover_image": text, "machine": key}
        workflows.append({**row, "versions": [{"comment": text, **both}]})
        deployments += [
            {"workflow": key, "environment": environment, "description": text, "gpu": text}
            for environment in ("production", "public-share")
        ]
    return {"history": 0, "machines": machines, "workflows": workflows, "deployments": deployments}
