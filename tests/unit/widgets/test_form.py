"""A form: its values, where it would run, its runs, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
import time

import pandas as pd
import pytest
from forms import HOSTILE, MACHINE, button, control, external, form_of, parts, texts, until
from ipywidgets.widgets import widget

import comfynb
from comfynb.bridge import IOThread
from comfynb.errors import InputError
from comfynb.sandbox import Sandbox
from comfynb.widgets import cells

# Values


def test_values_are_what_differs_from_the_defaults(ws: comfynb.Workspace) -> None:
    """Set at first, one by one, or all; what is not named goes back."""
    form = ws.form("text2img", values={"prompt": "a fox", "width": 512})
    assert form.values == {"prompt": "a fox"}
    form.values["width"] = "640"
    assert dict(form.values) == {"prompt": "a fox", "width": "640"}
    del form.values["prompt"]
    assert repr(form.values) == "{'width': '640'}"
    form.values = {"seed": 7}
    assert form.values == {"seed": 7}
    form.values.update(prompt="b", seed=-1)
    assert form.values == {"prompt": "b"}
    assert form.reset() is form
    assert form.values == {}


def test_unknown_names_are_refused_and_change_nothing(ws: comfynb.Workspace) -> None:
    """With the nearest one, as a submit does."""
    form = ws.form("text2img", values={"prompt": "a fox"})
    with pytest.raises(InputError, match="did you mean 'prompt'") as caught:
        form.values = {"promt": "x", "seed": 7}
    assert caught.value.problems == {"promt": "unknown input 'promt'; did you mean 'prompt' or 'negative_prompt'?"}
    assert form.values == {"prompt": "a fox"}
    with pytest.raises(InputError, match="did you mean 'prompt'"):
        ws.form("text2img", values={"promt": "x"})
    with pytest.raises(InputError, match="a mapping"):
        form.values = [1]  # type: ignore[assignment]


def test_fields_and_values_are_one_state(ws: comfynb.Workspace) -> None:
    """What code sets is seen, what a person types is there, and Reset is the same as reset()."""
    form = ws.form("text2img", values={"prompt": "a fox"})
    assert control(form, "prompt").value == "a fox"
    form.values["width"] = 640
    assert control(form, "width").value == "640"
    control(form, "width").value = "320"
    assert form.values == {"prompt": "a fox", "width": 320}
    button(form, "Reset").click()
    assert form.values == {}
    assert control(form, "width").value == "512"
    form.close()


def test_its_problems_are_those_of_a_submit(ws: comfynb.Workspace) -> None:
    """In the same words."""
    form = ws.form("inpaint", values={"grow_mask": 100, "denoise": "much"})
    prepared = ws.prepare("inpaint", dict(form.values))
    assert form.problems == prepared.problems
    assert form.problems.keys() == {"mask_image", "grow_mask", "denoise"}
    assert form.reason.startswith("Mask is required")


# Where it would run


def test_where_it_would_run_and_at_what_price_stands_above(ws: comfynb.Workspace) -> None:
    """Before anything is pressed."""
    form = ws.form("MAKEIMAGE")
    _ = form.box
    for told in ("Serverless A100", "$0.001389/s", "A100"):
        assert told in texts(form)
        assert told in repr(form)
    form.close()


def test_the_route_is_shown_where_there_are_rules(sandbox: Sandbox) -> None:
    """In the sentence that a submit shows."""
    rules = {"routing_rules": {"text2img": "serverless-h100"}}
    with comfynb.connect(sandbox=sandbox, routing=rules) as ws:
        form = ws.form("text2img")
        _ = form.box
        sentence = ws.routing.route("text2img").sentence
        assert "serverless-h100" in sentence
        assert sentence in texts(form).replace("&#x27;", "'")
        assert "serverless-h100" in form._repr_html_()
        form.close()


def test_a_machine_that_cannot_take_it_is_the_reason(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Until it can: asked again, the form is ready."""
    form = ws.form("upscale_esrgan")
    _ = form.box
    assert "'render-farm-2' is paused" in form.reason
    assert button(form, "Run").disabled
    assert "Run is not possible: The machine" in texts(form)
    (machine,) = [each for each in sandbox.world.machines.values() if each.name == "render-farm-2"]
    machine.status = "ready"
    button(form, "Check again").click()
    until(lambda: not button(form, "Run").disabled)
    assert form.reason == ""
    machine.status = "paused"
    assert "paused" in form.refresh().reason
    form.close()


# Running


def test_run_shows_the_run_and_the_seed_that_was_drawn(ws: comfynb.Workspace) -> None:
    """While the kernel is free; the seed is recorded, shown, and can be used again."""
    form = ws.form("text2img", values={"prompt": "a fox"})
    assert form.run is None
    assert len(form.runs) == 0
    _ = form.box
    button(form, "Run").click()
    assert button(form, "Run").disabled
    until(lambda: form.run is not None and form.run.ended)
    run = form.run
    assert run is not None
    assert run.status == "success"
    assert run.inputs["prompt"] == "a fox"
    seed = run.inputs["seed"]
    assert f"The last run drew {seed}." in texts(form)
    until(lambda: "run of text2img" in texts(form))
    until(lambda: not button(form, "Run").disabled)
    table = form.runs
    assert isinstance(table, pd.DataFrame)
    assert table.loc[0, "id"] == run.id
    assert (table.loc[0, "status"], table.loc[0, "name"], table.loc[0, "input.seed"]) == ("success", "text2img", seed)
    assert list(table.columns)[:3] == list(ws.runs("text2img").columns)[:3]
    button(form, "Use it again").click()
    assert form.values["seed"] == seed
    assert run.id in repr(form)
    form.close()


def test_double_clicks_submit_once(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """However quickly the server answers; later, Run can be pressed again."""
    form = ws.form("text2img")
    _ = form.box
    run = button(form, "Run")
    for _ in range(5):
        run.click()
    until(lambda: form.run is not None)
    run.click()
    until(lambda: not run.disabled)
    assert sandbox.counters.of("POST /run") == 1
    run.click()
    until(lambda: len(form.runs) == 2)
    assert sandbox.counters.of("POST /run") == 2
    until(lambda: not run.disabled)
    form.close()


def test_the_kernel_is_not_blocked_by_a_slow_server(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Pressing returns at once, and the fields can be changed meanwhile; the run has what stood there when pressed."""
    form = ws.form("text2img", values={"prompt": "before"})
    _ = form.box
    sandbox.knobs.change(latency=0.3)
    begun = time.monotonic()
    button(form, "Run").click()
    control(form, "prompt").value = "after"
    assert time.monotonic() - begun < 0.25
    assert form.run is None
    until(lambda: form.run is not None)
    assert form.run is not None
    assert form.run.inputs["prompt"] == "before"
    assert form.values["prompt"] == "after"
    sandbox.knobs.change(latency=0.0)
    form.close()


def test_what_the_server_refuses_is_told(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """In the form, as words."""
    form = ws.form("text2img")
    _ = form.box
    sandbox.knobs.change(no_credits=True)
    button(form, "Run").click()
    until(lambda: "cnb-wrong" in form._widgets()._said.value)
    assert "credits" in form._widgets()._said.value
    assert form.run is None
    until(lambda: not button(form, "Run").disabled)
    form.close()


def test_cancel_stops_the_run_and_says_so(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """On a machine that can; it can be pressed while a run goes on."""
    sandbox.knobs.change(speed=0.0)
    form = ws.form("text2img", machine="serverless-a10g")
    _ = form.box
    cancel = button(form, "Cancel")
    assert cancel.disabled
    button(form, "Run").click()
    assert not cancel.disabled
    until(lambda: form.run is not None)
    cancel.click()
    assert form.run is not None
    run = form.run
    until(lambda: run.status == "cancelled")
    until(lambda: cancel.disabled)
    assert "ancelled" in form._widgets()._said.value
    form.close()


def test_cancelling_before_anything_was_sent_sends_nothing(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """And says so; on its way, the run is cancelled when it is there."""
    form = ws.form("text2img")
    _ = form.box
    sandbox.knobs.change(latency=0.2)
    ws.reload()
    button(form, "Run").click()
    button(form, "Cancel").click()
    until(lambda: "nothing was sent" in form._widgets()._said.value)
    sandbox.knobs.change(latency=0.0)
    assert sandbox.counters.of("POST /run") == 0
    assert form.run is None
    form.close()


# Displaying and closing


def test_running_a_cell_again_closes_the_form_that_it_showed(
    ws: comfynb.Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not the same form, shown again, nor one of another cell."""
    cell = ["a", "1"]
    monkeypatch.setattr(cells, "this_cell", lambda: cells.Cell(*cell))
    first, second = ws.form("text2img"), ws.form("text2img")
    first._repr_mimebundle_()
    cell[:] = "a", "2"
    first._repr_mimebundle_()
    cell[:] = "b", "3"
    second._repr_mimebundle_()
    assert not first._closed
    cell[:] = "a", "4"
    third = ws.form("text2img")
    third._repr_mimebundle_()
    assert (first._closed, second._closed, third._closed) == (True, False, False)
    for form in (second, third):
        form.close()


def test_without_widgets_text_and_html_say_the_same(ws: comfynb.Workspace) -> None:
    """Values, problems, price, and what can be done."""
    form = ws.form("inpaint", values={"positive_prompt": "a chair", "grow_mask": 99})
    bundle = form._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    for kind in ("text/plain", "text/html"):
        for told in ("a chair", "given", "must be 0 to 64, not 99", "cannot run yet", "print(form.to_code())"):
            assert told in bundle[kind]
    form.close()
    assert set(form._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_a_workflow_without_inputs_has_a_form(ws: comfynb.Workspace) -> None:
    """Which can be run."""
    form = ws.form("wallpaper of the day")
    assert "it takes none" in repr(form)
    assert not button(form, "Run").disabled
    form.close()


def test_two_hundred_forms_leave_nothing_behind(ws: comfynb.Workspace) -> None:
    """No widget, no thread, no task; also after their runs."""

    async def tasks() -> int:
        return len(asyncio.all_tasks())

    def use() -> None:
        form = ws.form("MAKEIMAGE")
        _ = form.box
        form.values["reference_images"] = ["https://h/1.png", "https://h/2.png"]
        form.values["reference_images"] = ["https://h/1.png"]
        button(form, "Code").click()
        form.close()

    use()
    io = IOThread.get()
    before = (len(widget._instances), threading.active_count(), io.run(tasks))
    for _ in range(200):
        use()
    assert (len(widget._instances), threading.active_count(), io.run(tasks)) <= before


def test_a_closed_form_watches_nothing(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Its run goes on."""
    sandbox.knobs.change(speed=0.0)
    before = len(widget._instances)
    form = ws.form("text2img")
    _ = form.box
    button(form, "Run").click()
    until(lambda: len(ws._core.live) == 1)
    form.close()
    form.close()
    until(lambda: len(ws._core.live) == 0)
    until(lambda: not form._busy)
    assert len(widget._instances) <= before
    assert form.run is not None
    assert not form.run.ended


def test_closing_while_a_run_is_submitted_loses_no_run(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """It is there, without a view."""
    form = ws.form("text2img")
    _ = form.box
    sandbox.knobs.change(latency=0.1)
    button(form, "Run").click()
    form.close()
    until(lambda: form.run is not None)
    sandbox.knobs.change(latency=0.0)
    assert len(ws._core.live) == 0
    assert ws.last_run is form.run


def test_hostile_names_of_workflows_and_machines_are_words(sandbox: Sandbox) -> None:
    """In the head, the twins and the code."""
    for thing in (*sandbox.world.workflows.values(), *sandbox.world.machines.values()):
        thing.name = HOSTILE
    with comfynb.connect(sandbox=sandbox) as ws:
        form = ws.form(next(iter(ws.deployments()["id"])))
        button(form, "Code").click()
        for text in (texts(form), form._repr_html_()):
            assert "<script>" not in text
            assert "<img src=x" not in text
        assert "\x1b" not in texts(form) + repr(form) + form.to_code()
        form.close()


def test_a_form_of_an_unknown_workflow_is_an_error(ws: comfynb.Workspace) -> None:
    """With the nearest name."""
    with pytest.raises(comfynb.NotFoundError, match="text2img"):
        ws.form("text2im")


def test_runs_are_the_forms_own(ws: comfynb.Workspace) -> None:
    """Not those of others."""
    form = form_of(ws, external("Text", "prompt", default_value="x"))
    ws.submit(form._target, machine=MACHINE)
    assert len(form.runs) == 0
    assert [each for each in parts(form.box) if getattr(each, "children", None) == ()]
    form.close()
