"""How long a form of 40 inputs takes, against the same widgets made by hand: labels, help and containers included.

Run it: `python tests/benchmarks/bench_form.py`. Ours reads the inputs out of the graph, checks the values, and makes
the form with its twins in HTML and text, as a notebook that shows it does. The bare side makes widgets of the same
classes with the same options and puts them together.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import ipywidgets as widgets
from figures import Figure, medians, show, timed

from comfynb.api.models import Machine, Version, Workflow
from comfynb.rules.inputs import input_definitions
from comfynb.services.catalogue.inputs import merge
from comfynb.services.prepared import Prepared
from comfynb.widgets.closing import close_tree
from comfynb.widgets.form import RunForm

INPUTS = 40
GROUPS = 6
LIMIT = 2.0
HELP = "What it is for, in a sentence of usual length."

_KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Text", {"default_value": "a red fox in the snow"}),
    ("NumberInt", {"default_value": 20}),
    ("NumberSlider", {"default_value": 0.5, "min_value": 0, "max_value": 1}),
    ("Boolean", {"default_value": True}),
    ("Enum", {"default_value": "a", "options": '["a", "b", "c"]'}),
)


def _graph() -> dict[str, Any]:
    graph: dict[str, Any] = {}
    for number in range(INPUTS):
        kind, inputs = _KINDS[number % len(_KINDS)]
        graph[str(number)] = {
            "class_type": f"ComfyUIDeployExternal{kind}",
            "inputs": {"input_id": f"n{number}", "display_name": f"Input {number}", "description": HELP, **inputs},
            "_meta": {"cd_input_group_id": f"g{number % GROUPS}", "cd_group_name": f"Group {number % GROUPS}"},
        }
    return graph


GRAPH = _graph()


def _ours() -> RunForm:
    definitions = input_definitions(None, GRAPH)
    prepared = Prepared(
        Workflow(id="w", name="large"), None, Version(id="v"), Machine(id="m"), "m", definitions, merge(definitions, {})
    )
    form = RunForm(None, prepared, target="large")  # type: ignore[arg-type]  # nothing is asked of a server here
    form._repr_mimebundle_()
    return form


def _control(kind: str, inputs: dict[str, Any], label: str) -> Any:
    layout = widgets.Layout(width="auto", max_width="480px")
    if kind == "Text":
        return widgets.Textarea(value=inputs["default_value"], rows=2, layout=layout, tooltip=label)
    if kind == "NumberInt":
        return widgets.Text(value="20", placeholder="integer, default 20", layout=layout, tooltip=label)
    if kind == "NumberSlider":
        return widgets.FloatSlider(value=0.5, min=0, max=1, step=0.01, layout=layout, tooltip=label)
    if kind == "Boolean":
        return widgets.Checkbox(value=True, indent=False, layout=layout, tooltip=label)
    choices = [("a", "a"), ("b", "b"), ("c", "c")]
    return widgets.Dropdown(options=choices, index=0, layout=layout, tooltip=label)


def _bare() -> Any:
    groups: dict[str, list[Any]] = {}
    for number in range(INPUTS):
        kind, inputs = _KINDS[number % len(_KINDS)]
        label = f"Input {number}"
        field = widgets.VBox(
            [
                widgets.HTML(f"<div>{label}</div><div>{HELP}</div>"),
                _control(kind, inputs, label),
                widgets.HTML(layout=widgets.Layout(display="none")),
            ],
            layout=widgets.Layout(margin="4px 0 8px 0"),
        )
        groups.setdefault(f"Group {number % GROUPS}", []).append(field)
    accordions = [
        widgets.Accordion([widgets.VBox(fields)], titles=(title,), selected_index=0) for title, fields in groups.items()
    ]
    buttons = widgets.HBox(
        [widgets.Button(description=each, icon="play") for each in ("Run", "Cancel", "Reset", "Code", "Check again")],
        layout=widgets.Layout(flex_flow="row wrap"),
    )
    lines = [widgets.HTML(layout=widgets.Layout(display="none")) for _ in range(3)]
    box = widgets.VBox([widgets.HTML("large"), *accordions, buttons, *lines, widgets.VBox()])
    box._repr_mimebundle_()
    return box


def _classes(widget: Any) -> Counter[str]:
    found = Counter([type(widget).__name__])
    for child in getattr(widget, "children", ()):
        found += _classes(child)
    return found


def measure() -> list[Figure]:
    """Make a form, and the same widgets; neither time has the closing in it."""
    form, box = _ours(), _bare()
    assert _classes(form.box) == _classes(box)
    form.close()
    close_tree(box)
    made: list[Any] = []

    def close() -> None:
        for each in made:
            if isinstance(each, RunForm):
                each.close()
            else:
                close_tree(each)
        made.clear()

    def side(make: Any) -> Any:
        work = timed(lambda: made.append(make()))

        def measured() -> float:
            value = work()
            close()
            return value

        return measured

    ours, bare = medians(side(_ours), side(_bare))
    return [Figure(f"a form of {INPUTS} inputs / the same widgets, bare", ours, bare, LIMIT)]


if __name__ == "__main__":
    show(measure())
