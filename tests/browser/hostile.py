"""Texts that would do something if a page took them for more than texts, in every place where others write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from comfynb.rules.input_classes import INPUT_CLASSES
from comfynb.sandbox import Sandbox

MARK: Final = "window.__pwned=1"
PAYLOADS: Final[Mapping[str, str]] = {
    "script": f"<script>{MARK}</script>",
    "picture": f"<img src=x onerror={MARK}>",
    "address": f"javascript:{MARK}",
    "attribute": f'"><svg onload={MARK}></svg>',
    "handler": f"' onmouseover='{MARK}' onfocus='{MARK}' autofocus x='",
    "style": f"</style><script>{MARK}</script>",
    "area": f"</textarea><script>{MARK}</script>",
    "option": f"</option></select><img src=x onerror={MARK}>",
    "markdown": f"[link](javascript:{MARK}) ![picture](x){{onerror={MARK}}} <javascript:{MARK}>",
    "formula": f"costs $5, or $6 \\(x\\) $$\\href{{javascript:{MARK}}}{{x}}$$",
    "frame": f"<iframe srcdoc='<script>parent.{MARK}</script>'></iframe>",
    "entity": "&lt;b&gt; &#x1b;[31m",
    "directions": "abc\u202egnp.exe \u2066x\u2069",
    "colours": f"\x1b[31mred\x1b[0m \x1b]8;;javascript:{MARK}\x07link\x1b]8;;\x07 \x9b2J",
}
LONG: Final = (PAYLOADS["picture"] + PAYLOADS["colours"] + "\u202e") * 8_000
"""A megabyte."""
ALL: Final = " ".join(PAYLOADS.values())
MAIN: Final = f"main {ALL}"
NAMES: Final = (*PAYLOADS.values(), f"long {LONG}")
MACHINE: Final = f"machine {ALL}"
SAVER: Final = f"SaveImage{PAYLOADS['picture']}"
"""A class of nodes, which are written by others, too."""


def _graph() -> dict[str, Any]:
    """Return a graph with an input of every class, each of which has something else in each of its texts."""
    texts = [*PAYLOADS.values(), ALL, LONG]
    graph: dict[str, Any] = {}
    for place, kind in enumerate([*INPUT_CLASSES, f"ComfyUIDeployExternal{PAYLOADS['picture']}"]):
        label, told, default, group = (texts[(place + by) % len(texts)] for by in (0, 5, 9, 11))
        row = INPUT_CLASSES.get(kind)
        keys = row.default_keys if row is not None else ("default_value",)
        graph[f"{place}{PAYLOADS['picture']}"] = {
            "class_type": kind,
            "inputs": {
                "input_id": f"{place} {label[:2000]}",
                "display_name": label,
                "description": told,
                "options": json.dumps(texts),
                **dict.fromkeys(keys, [default, ALL] if kind.endswith("Batch") else default),
            },
            "_meta": {"cd_input_group_id": group, "cd_group_name": group} if place % 2 else {},
        }
    taking = {f"value{place}": [node, 0] for place, node in enumerate(graph)}
    return graph | _made(taking)


def _made(taking: dict[str, Any]) -> dict[str, Any]:
    return {
        "900": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 32, "batch_size": 2, "color": 0}},
        "901": {"class_type": SAVER, "inputs": {"images": ["900", 0], "filename_prefix": ALL, **taking}},
    }


def world() -> dict[str, Any]:
    """Return a workspace whose people are not to be trusted; `MAIN` runs on `MACHINE`."""
    plain = {
        "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": "prompt", "default_value": ALL}},
    }
    runs = {**plain, **_made({"text": ["1", 0]})}
    machines = [
        {"name": MACHINE, "key": "m", "gpu": PAYLOADS["picture"]},
        *({"name": name, "key": f"m{place}"} for place, name in enumerate(NAMES)),
    ]
    workflows = [
        {"name": MAIN, "key": "w", "machine": "m", "description": ALL, "workflow_api": _graph()},
        {"name": "runs", "machine": "m", "description": LONG, "versions": [{"comment": ALL, "workflow_api": runs}]},
        *(
            {"name": name, "key": f"w{place}", "machine": f"m{place}", "description": name, "inputs": [name[:2000]]}
            for place, name in enumerate(NAMES)
        ),
    ]
    keys = ["w", "runs", *(f"w{place}" for place in range(len(NAMES)))]
    deployments = [{"workflow": key, "description": ALL, "gpu": PAYLOADS["attribute"]} for key in keys]
    return {"history": 0, "machines": machines, "workflows": workflows, "deployments": deployments}


def spoil(sandbox: Sandbox, run_id: str) -> None:
    """Let a run that goes on leave files and errors that are no better than the rest."""
    run = sandbox.world.runs[run_id]
    for output in run.plan.outputs:
        data = output.data
        if not isinstance(data, dict):
            continue
        if "exception_message" in data:
            data |= {"exception_message": f"{ALL} {LONG}", "exception_type": ALL, "node_type": f"{ALL} node"}
            data["traceback"] = [ALL, LONG]
        for file in data.get("images", ())[1:]:
            file |= {"url": PAYLOADS["address"], "filename": f"{ALL}.png"}
        if "images" in data:
            more = [{"filename": f"{text[:2000]}.png", "type": "output", "subfolder": text[:2000]} for text in NAMES]
            data["images"] += [{**each, "url": each["filename"]} for each in more]
            data["text"] = [ALL, LONG]


START: Final = f"""
import sys
sys.path.insert(0, {str(__file__.rpartition("/")[0])!r})
from hostile import *
import comfynb
sandbox = Sandbox(world=world(), speed=4.0).start()
routing = {{"routing_rules": {{ALL: MACHINE}}, "default_machine": [MACHINE, ALL], "when_unavailable": "deployment"}}
ws = comfynb.connect(sandbox=sandbox, routing=routing)
def started(**inputs):
    run = ws.submit("runs", **inputs)
    spoil(sandbox, run.id)
    return run
def told(call):
    try:
        call()
    except Exception:
        get_ipython().showtraceback()
"""
"""The first cell: `ws`, and `started`, which starts a run that is spoilt."""

VIEWS: Final[Mapping[str, str]] = {
    "runs that go on": "good, bad = started(prompt=ALL), started(prompt=f'__fail__ {LONG}')\ndisplay(good, bad)",
    "a form with all fields": "every = ws.form(MAIN)\nevery",
    "why it cannot run": "every.reason",
    "a form": "form = ws.form('runs', values={'prompt': f'{ALL} {LONG}'})\nform",
    "workflows": "ws.workflows()",
    "catalog": "ws.catalog()",
    "deployments": "ws.deployments()",
    "machines": "ws.machines()",
    "versions": "ws.versions('runs')",
    "inputs": "ws.inputs(MAIN)",
    "a workspace": "ws",
    "a workflow": "ws.workflow(MAIN)",
    "more workflows": "display(*(ws.workflow(id) for id in ws.workflows()['id'][2:]))",
    "a deployment": "ws.deployment(MAIN)",
    "a machine": "ws.machine(MACHINE)",
    "more machines": "display(*(ws.machine(id) for id in ws.machines()['id'][1:]))",
    "prepared": "display(ws.prepare('runs', prompt=LONG), ws.prepare(MAIN, {f'{ALL}': ALL}))",
    "routing": "display(ws.routing, ws.routing.table(), ws.routing.route(MAIN))",
    "names": "ws.names.review([*NAMES, ALL], 'names.toml')",
    "the names compared": "display(ws.names.compare([*NAMES, ALL]))",
    "browser": "browser = ws.browse()\nbrowser",
    "browser of a form": "other = ws.browse()\nother.choose(MAIN, 'Run')\nother",
    "a run that succeeded": "good.wait()\ngood",
    "its gallery": "gallery = good.gallery()\ngallery",
    "its outputs": "display(*good.outputs)",
    "a run that failed": "try:\n    bad.wait()\nexcept comfynb.RunFailed:\n    pass\nbad",
    "their explanations": "display(good.explain(), bad.explain())",
    "their tables": "display(ws.runs('runs'), ws.outputs(good), good.timeline)",
    "browser of runs": "last = ws.browse()\nlast.choose('runs', 'Runs')\nlast",
    "a failed run's error": "told(lambda: ws.run('runs', prompt=f'__fail__ {ALL}'))",
    "an unknown name's error": "told(lambda: ws.workflow(f'{ALL} {LONG}'))",
    "a wrong input's error": "told(lambda: ws.submit(MAIN, {ALL: ALL, LONG: LONG}))",
}
"""What is looked at, one cell each. Whatever is new and shows what others wrote belongs here, too."""

LOOK: Final = """() => {
  const outputs = [...document.querySelectorAll(".jp-OutputArea-output")];
  const inside = outputs.flatMap(each => [...each.querySelectorAll("*")]);
  const attributes = inside.flatMap(each => [...each.attributes]);
  const places = /^(href|src|srcdoc|action|formaction|data|xlink:href)$/i;
  const harmless = /^($|https?:|data:image\\/png;|\\/[^\\/])/i;
  const acts = at => /^on/i.test(at.name) || places.test(at.name) && !harmless.test(at.value);
  const told = at => short(`${at.name}=${at.value}`);
  // Tables of pandas show what is in them as it is, and a field what will be sent.
  const plain = each => {
    const copy = each.cloneNode(true);
    copy.querySelectorAll("style, table.dataframe, textarea, input").forEach(part => part.remove());
    return copy.textContent;
  };
  const odd = text => /[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]/.test(text);
  const short = text => text.slice(0, 300);
  return {
    outputs: outputs.length,
    elements: inside.filter(each => each.matches("script, iframe, object, embed, base, meta, link, form, svg[onload]"))
      .map(each => short(each.outerHTML)),
    actions: attributes.filter(acts).map(told),
    formulas: outputs.filter(each => !each.querySelector("table.dataframe") && each.querySelector("mjx-container"))
      .map(each => short(plain(each))),
    odd: outputs.map(plain).filter(odd).map(short),
    oddAttributes: attributes.filter(at => odd(at.value) && at.name != "value").map(told),
    long: outputs.filter(each => each.innerHTML.length > 200_000).map(each => short(plain(each))),
  };
}"""
"""Looks at all outputs of a page: what of others became more than text, can be seen and should not, or is long."""
