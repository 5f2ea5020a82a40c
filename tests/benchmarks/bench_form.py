"""How long a form of 40 inputs takes, against the same widgets made by hand."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
from figures import Figure, medians, show, timed

import comfynb

INPUTS = 40


def _graph() -> dict[str, Any]:
    graph: dict[str, Any] = {
        str(place): {
            "class_type": "ComfyUIDeployExternalText",
            "inputs": {"input_id": f"input_{place}", "default_value": "x", "description": "help", "display_name": "L"},
            "_meta": {"cd_input_group_id": f"g{place % 6}", "cd_group_name": f"Group {place % 6}"},
        }
        for place in range(1, INPUTS + 1)
    }
    taken = {f"in_{place}": [place, 0] for place in graph}
    graph["99"] = {"class_type": "SaveImage", "inputs": {"filename_prefix": "x", **taken}}
    return graph


def _bare() -> None:
    """Make the same tree of widgets: for each input a box with label, control, help and a place for its problem."""
    boxes = []
    for _ in range(INPUTS):
        wide = widgets.Layout(width="auto", max_width="680px", margin="0")
        parts = [
            widgets.HTML("<b>L</b>", layout=wide),
            widgets.Textarea("x", rows=3, layout=widgets.Layout(width="auto", max_width="680px")),
            widgets.HTML("help", layout=wide),
            widgets.HTML(layout=widgets.Layout(width="auto", max_width="680px", display="none", margin="0")),
        ]
        boxes.append(widgets.VBox(parts, layout=widgets.Layout(margin="0 0 10px 0")))
    accordion = widgets.Accordion([widgets.VBox(boxes[place::6]) for place in range(6)])
    buttons = widgets.HBox([widgets.Button(description=word) for word in ("Run", "Cancel", "Reset", "Code")])
    widgets.VBox([widgets.HTML(), widgets.HTML(), accordion, buttons, widgets.HTML(), widgets.HTML(), widgets.VBox()])


def measure() -> list[Figure]:
    """Return the figures."""
    with comfynb.Sandbox(history=0) as sandbox, comfynb.connect(sandbox=sandbox) as ws:
        ws.upload_workflow("forty", {"nodes": []}, _graph())
        ws.create_deployment("forty", machine="studio-classic-a")
        ws.form("forty").close()
        bare, ours = medians(timed(_bare), timed(lambda: ws.form("forty").box))
    return [Figure(f"a form of {INPUTS} inputs / the bare widgets", ours, bare, 2.0)]


if __name__ == "__main__":
    show(measure())
