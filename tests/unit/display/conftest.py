"""Everything that can be displayed, made of one text; and a reader of HTML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from comfynb.api import models
from comfynb.display.explanation import Explanation
from comfynb.display.health import Incident, WatchFacts, health_html, health_text, watch_html, watch_text
from comfynb.display.metrics import metrics_html, metrics_text
from comfynb.display.runs import RunFacts, run_html, run_text
from comfynb.display.workspace import WorkspaceFacts, workspace_html, workspace_text
from comfynb.objects import Deployment, Machine, WorkflowObject
from comfynb.rules.diagnosis import Failure
from comfynb.rules.health import Finding
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.validation import MergedInputs
from comfynb.services.metrics.figures import RouteFigures, RunFigures
from comfynb.services.prepared import Prepared

WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


class Page(HTMLParser):
    """What a browser would make of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []
        self._texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self._texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._texts).split())

    def values(self, name: str) -> list[str]:
        """Return the values of an attribute."""
        return [value for key, value in self.attributes if key == name]


@pytest.fixture
def page() -> Callable[[str], Page]:
    """Read a piece of HTML."""
    return Page


@pytest.fixture(name="everything")
def everything_fixture() -> Callable[[str], dict[str, tuple[str, str]]]:
    """Give the function below."""
    return everything


@pytest.fixture(name="prepared")
def prepared_fixture() -> Callable[..., Prepared]:
    """Give the function below."""
    return prepared


def definitions(text: str) -> tuple[InputDefinition, ...]:
    """Return inputs whose every text is the given one."""
    return (
        InputDefinition(text, text, text, "text", description=text, default=text, has_default=True, problem=text),
        InputDefinition("choice", text, text, "enum", description=text, options=(text, "b")),
        InputDefinition("seed", text, text, "seed", minimum=1, maximum=10),
        InputDefinition("steps", "steps", text, "integer", default=20, has_default=True, minimum=1, maximum=50),
    )


def prepared(text: str, **changes: Any) -> Prepared:
    """Return a prepared run whose every text is the given one."""
    inputs = definitions(text)
    fields: dict[str, Any] = {
        "workflow": models.Workflow(id="w-1", name=text),
        "deployment": models.Deployment(id="d-1", environment=text, workflow_id="w-1", machine_id="m-1", gpu=text),
        "version": models.Version(id="v-1", version=3, comment=text),
        "machine": models.Machine(id="m-1", name=text, status=text, gpu=text),
        "machine_id": "m-1",
        "definitions": inputs,
        "inputs": MergedInputs(
            send={"choice": text, "seed": 10},
            effective={"choice": text, "seed": 10, "steps": 20},
            drawn={"seed": 10},
            problems={text: text, f"{text} unknown": text},
        ),
        "blockers": (text,),
        "notes": (text,),
        "price": 0.00031,
        "webhook": text,
    }
    return Prepared(**(fields | changes))


def workflow(text: str) -> models.Workflow:
    """Return a workflow whose every text is the given one."""
    return models.Workflow(
        id="w-1", name=text, description=text, created_at=WHEN, updated_at=WHEN, selected_machine_id="m-1"
    )


@cache
def everything(text: str) -> dict[str, tuple[str, str]]:
    """Return plain text and HTML of one of each kind of display."""
    graph = {
        "1": {"class_type": "ComfyUIDeployExternalText", "inputs": {"input_id": text, "default_value": text}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0]}},
    }
    drawn = {"nodes": [{"type": "Note", "widgets_values": [text]}]}
    version = models.Version(id="v-1", version=3, comment=text, created_at=WHEN, workflow=drawn, workflow_api=graph)
    machine = models.Machine(
        id="m-1", name=text, type=text, status=text, gpu=text, endpoint=text, comfyui_version=text, created_at=WHEN
    )
    deployment = models.Deployment(
        id="d-1",
        workflow_id="w-1",
        workflow_version_id="v-1",
        machine_id="m-1",
        environment=text,
        description=text,
        share_slug=text,
        gpu=text,
        run_timeout=300,
        created_at=WHEN,
    )
    owner = workflow(text)
    failure = Failure(text, text, text, text, text)
    run = RunFacts(
        id=text,
        name=text,
        status="failed",
        stage=text,
        progress=0.4,
        live_status=text,
        queue_position=2,
        machine=text,
        gpu=text,
        version=3,
        environment=text,
        created=WHEN,
        duration_seconds=75.0,
        outputs=(("image", text, text), (text, text, None), ("image", text, "https://host/a.png")),
        failure=failure,
        trouble=text,
        stalled=text,
        inputs={text: text, "list": [text, {"r": text}]},
    )
    space = WorkspaceFacts(
        address=text,
        sandbox=True,
        prefix=text,
        users=(text,) * 7,
        workflows=1,
        deployments=2,
        broken=1,
        machines={text: 1},
        as_of=WHEN,
        webhook=text,
        last_run=text,
        trouble=text,
    )
    why = Explanation.of(
        run_id=text, name=text, status="failed", stage=text, failure=failure, hint=text, outputs=2, trouble=text
    )
    found = [
        Finding(text, "bad", text, text),
        Finding(f"machine {text}", "warn", text, text),
        Finding(text, "ok", text),
    ]
    incidents = [Incident(text, "bad", text, text, WHEN), Incident(text, "warn", text, text, WHEN, WHEN)]
    watch = WatchFacts(found, text, True, 30.0, WHEN, incidents, text)
    counted = (
        [RouteFigures(text, 3, 1, 1, 2, 0.5, 0.1, 2.0, 512, ((text, 3),))],
        [RunFigures(text, text, 3, (("success", 2), (text, 1)), 1.0, None, 3.0, 4.0, 5.0)],
    )
    objects = {
        "workflow": WorkflowObject.build(owner, [version], [deployment], [machine], version),
        "deployment": Deployment.build(deployment, version, definitions(text), [owner], [machine]),
        "machine": Machine.build(machine, [deployment], [owner]),
        "prepared with problems": prepared(text),
        "prepared": prepared(text, inputs=MergedInputs(send={text: text}, effective={text: text}), blockers=()),
        "explanation": why,
    }
    return {
        **{kind: (repr(thing), thing._repr_html_()) for kind, thing in objects.items()},
        "run": (run_text(run), run_html(run)),
        "workspace": (workspace_text(space), workspace_html(space)),
        "health": (health_text(found, text), health_html(found, text)),
        "watch": (watch_text(watch), watch_html(watch)),
        "metrics": (metrics_text(*counted), metrics_html(*counted)),
    }
