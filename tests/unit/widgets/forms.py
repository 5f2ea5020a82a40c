"""What the tests of forms share: workflows with any inputs, and pressing and waiting."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from typing import Any

import comfynb
from comfynb.widgets.form import RunForm

MACHINE = "studio-classic-a"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e"

_numbers = itertools.count()


def external(kind: str, name: Any, **inputs: Any) -> dict[str, Any]:
    """Return a node that is an input of the class ``ComfyUIDeployExternal`` and `kind`, or of a class of that name."""
    class_type = kind if kind.startswith("Comfy") else f"ComfyUIDeployExternal{kind}"
    return {"class_type": class_type, "inputs": {"input_id": name, **inputs}}


def graph_of(nodes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return a graph that saves a picture and has these inputs, each of which a node takes."""
    graph = {str(number): node for number, node in enumerate(nodes, 1)}
    taking = {f"value_{number}": [number, 0] for number in graph}
    graph["900"] = {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0}}
    graph["901"] = {"class_type": "SaveImage", "inputs": {"images": ["900", 0], "filename_prefix": "x", **taking}}
    return graph


def upload(ws: comfynb.Workspace, nodes: Iterable[dict[str, Any]]) -> str:
    """Make a workflow with these inputs, and return its name."""
    name = f"made {next(_numbers)}"
    ws.upload_workflow(name, {"nodes": []}, graph_of(nodes))
    return name


def form_of(ws: comfynb.Workspace, *nodes: dict[str, Any], **options: Any) -> RunForm:
    """Return a form for a workflow with these inputs, on a machine that is ready, with its widgets made."""
    form = ws.form(upload(ws, nodes), machine=MACHINE, **options)
    _ = form.box
    return form


def control(form: RunForm, name: str) -> Any:
    """Return the main control of a field."""
    return form._widgets().fields[name]._control  # type: ignore[attr-defined]


def parts(widget: Any) -> list[Any]:
    """Return a widget and all that are in it."""
    return [widget, *(each for child in getattr(widget, "children", ()) for each in parts(child))]


def button(form: RunForm, label: str) -> Any:
    """Return the button of that label."""
    (found,) = [each for each in parts(form.box) if getattr(each, "description", None) == label]
    return found


def texts(form: RunForm) -> str:
    """Return all HTML in a form."""
    import ipywidgets

    return "\n".join(each.value for each in parts(form.box) if isinstance(each, ipywidgets.HTML))


def until(done: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)
