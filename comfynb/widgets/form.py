"""A form over the inputs of a workflow, which runs it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from comfynb.display.card import Card
from comfynb.display.form import form_card
from comfynb.display.html import card_html, escape
from comfynb.display.text import card_text
from comfynb.display.words import money
from comfynb.errors import ComfyError, InputError
from comfynb.rules.validation import MergedInputs, merge_inputs
from comfynb.widgets.closing import close_tree
from comfynb.widgets.code import code_for
from comfynb.widgets.fields import NOT_GIVEN, Field, field_for
from comfynb.widgets.run_view import RunView

if TYPE_CHECKING:
    import pandas as pd

    from comfynb.core import Core
    from comfynb.runs.run import Run
    from comfynb.services.prepared import Prepared

__all__ = ["RunForm"]

_STANDS_FOR: Final = "https://upload.invalid/"
"""A link in place of a file that is uploaded when the run is submitted."""


class RunForm:
    """A form over the inputs of a workflow.

    One field for each input, in the order and the groups that the workflow gives. A value is given only where it
    differs from the workflow's own default, as with `ws.submit`. Problems are shown beside the fields, and as long as
    there are any, nothing can be run.

    Parameters
    ----------
    core : Core
        The workspace.
    prepared : Prepared
        The workflow, and where it would run.
    options : mapping
        `environment` and `machine`, as they were given.
    values : mapping, optional
        What the fields hold at the beginning.

    Attributes
    ----------
    box : ipywidgets.VBox
        The widget.
    run : Run or None
        The last run.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> form = ws.form("text2img", values={"prompt": "a red fox", "seed": 7})
    >>> form.submit().wait().status
    'success'
    >>> print(form.to_code())
    run = ws.run(
        "text2img",
        prompt="a red fox",
        seed=7,
    )
    >>> form.close()
    """

    def __init__(
        self, core: Core, prepared: Prepared, options: Mapping[str, Any], values: Mapping[str, Any] | None = None
    ) -> None:
        import ipywidgets as widgets

        self._core = core
        self._prepared = prepared
        self._options = dict(options)
        self._fields: dict[str, Field] = {}
        self._runs: list[Run] = []
        self._given_of_run: dict[str, Any] = {}
        self._view: RunView | None = None
        self._submitting: Future[Any] | None = None
        self._uploaded: dict[tuple[str, int, int], str] = {}
        self.run: Run | None = None
        groups: dict[str, tuple[str, list[Any]]] = {}
        plain: list[Any] = []
        for definition in prepared.definitions:
            field = self._fields[definition.name] = field_for(definition)
            field.changed = self._changed
            if definition.group:
                title = definition.group_name or definition.group
                groups.setdefault(definition.group, (title, []))[1].append(field.box)
            else:
                plain.append(field.box)
        parts = [widgets.VBox(plain)] if plain else []
        if groups:
            accordion = widgets.Accordion([widgets.VBox(boxes) for _, boxes in groups.values()], selected_index=0)
            for place, (title, _) in enumerate(groups.values()):
                accordion.set_title(place, escape(title, 80))
            parts.append(accordion)
        self._where = widgets.HTML(self._route())
        self._run_button = widgets.Button(description="Run", icon="play", button_style="primary")
        self._cancel_button = widgets.Button(description="Cancel", icon="stop", disabled=True)
        self._reset_button = widgets.Button(description="Reset", icon="undo")
        self._code_button = widgets.Button(description="Code", icon="code")
        self._run_button.on_click(lambda _: self._press())
        self._cancel_button.on_click(lambda _: self._cancel())
        self._reset_button.on_click(lambda _: self.reset())
        self._code_button.on_click(lambda _: self._show_code())
        buttons = widgets.HBox([self._run_button, self._cancel_button, self._reset_button, self._code_button])
        self._reason = widgets.HTML()
        self._code = widgets.HTML()
        self._slot = widgets.VBox()
        head = widgets.HTML(f"<h3 style='margin:2px 0'>{escape(prepared.name, 200)}</h3>")
        self.box = widgets.VBox([head, self._where, *parts, buttons, self._reason, self._code, self._slot])
        if values:
            self.values = dict(values)
        self._changed()

    # -- values -------------------------------------------------------------------------------------------------

    @property
    def values(self) -> dict[str, Any]:
        """What is given, by input name: only what differs from the workflow's own defaults."""
        read = ((name, field.value) for name, field in self._fields.items())
        return {name: value for name, value in read if value is not NOT_GIVEN}

    @values.setter
    def values(self, values: Mapping[str, Any]) -> None:
        unknown = [name for name in values if name not in self._fields]
        if unknown:
            raise InputError(
                f"{self._prepared.name} has no input {', '.join(map(repr, unknown))}; it has "
                f"{', '.join(self._fields) or 'none'}."
            )
        for name, value in values.items():
            self._fields[name].value = value
        self._changed()

    def reset(self) -> None:
        """Let every field hold the workflow's own default again."""
        for field in self._fields.values():
            field.reset()
        self._changed()

    def _merged(self) -> MergedInputs:
        given = {name: _stand_in(value) for name, value in self.values.items()}
        return merge_inputs(self._prepared.definitions, given, draw=lambda low, _: low)

    def _changed(self) -> None:
        problems = self._merged().problems
        for name, field in self._fields.items():
            field.tell(problems.get(name))
        reason = self._why_not(problems)
        self._run_button.disabled = reason is not None or self._submitting is not None
        self._reason.value = _bad(reason) if reason else ""
        self._code.value = ""

    def _why_not(self, problems: Mapping[str, str]) -> str | None:
        """Say why it cannot be run; None if it can."""
        if self._prepared.blockers:
            return " ".join(self._prepared.blockers)
        if problems:
            labels = ", ".join(sorted(problems))
            return f"Not ready: {labels}." if len(problems) < 6 else f"Not ready: {len(problems)} inputs."
        return None

    def _route(self) -> str:
        routed = self._prepared.routed
        where = routed.sentence if routed is not None else f"Runs on {self._prepared.route}."
        return f'<span style="opacity:.8">{escape(where, 600)} Price: {escape(money(self._prepared.price))}.</span>'

    # -- running ------------------------------------------------------------------------------------------------

    def submit(self) -> Run:
        """Do what the Run button does, and return the run; it is shown in the form as it goes on.

        Raises
        ------
        InputError, RoutingError, ApiError, SubmitUncertainError
            As `ws.submit` does.
        """
        run: Run = self._core.face.call(self._submit)
        return run

    def _press(self) -> None:
        if self._submitting is not None or self._run_button.disabled:
            return  # a second click on the way to the first one's run
        self._run_button.disabled = True
        self._reason.value = "submitting …"
        self._submitting = self._core.face.start(self._pressed)

    async def _pressed(self) -> None:
        try:
            await self._submit()
            self._reason.value = ""
        except ComfyError as error:
            self._reason.value = _bad(str(error))
        except Exception as error:
            self._reason.value = _bad(f"{type(error).__name__}: {error}")
            raise
        finally:
            self._submitting = None
            self._run_button.disabled = self._why_not(self._merged().problems) is not None

    async def _submit(self) -> Run:
        given = self.values
        sent = {name: await self._sendable(value) for name, value in given.items()}
        run = await self._core.submit(self._prepared.workflow.id, sent, **self._options)
        self.run = run
        self._runs.append(run)
        self._given_of_run = given
        drawn = run.prepared.inputs.drawn if run.prepared is not None else {}
        for name, seed in drawn.items():
            tell = getattr(self._fields.get(name), "tell_drawn", None)
            if tell is not None:
                tell(seed)
        if self._view is not None:
            self._view.close()
        self._view = RunView(run)
        self._slot.children = (self._view.box,)
        self._cancel_button.disabled = False
        return run

    async def _sendable(self, value: Any) -> Any:
        """Return a value as it is sent: files are uploaded, each once as long as it is the same."""
        if isinstance(value, list):
            return [await self._sendable(each) for each in value]
        if not isinstance(value, Path):
            return value
        stat = value.stat()
        key = (str(value), stat.st_mtime_ns, stat.st_size)
        if key not in self._uploaded:
            self._reason.value = f"uploading {escape(value.name, 100)} …"
            self._uploaded[key] = await self._core.comfyui.upload_file(value)
        return self._uploaded[key]

    def _cancel(self) -> None:
        run = self.run
        if run is None:
            return
        self._cancel_button.disabled = True

        async def cancel() -> None:
            try:
                result = await run._tracked.cancel()
                self._reason.value = escape(result.message, 400)
            except ComfyError as error:
                self._reason.value = _bad(str(error))
            finally:
                self._cancel_button.disabled = run.ended

        self._core.face.start(cancel)

    @property
    def runs(self) -> pd.DataFrame:
        """The runs of this form, newest first, as a table with what each was given; nothing is asked for it."""
        from comfynb.frames.form_runs import form_runs_frame

        return form_runs_frame([(run.name, run.facts(), run.inputs) for run in reversed(self._runs)])

    # -- code ---------------------------------------------------------------------------------------------------

    def to_code(self) -> str:
        """Return a cell that runs the same: `ws.run` with what is given, and with the seed that was drawn.

        Before the first run with these values a seed that is drawn for each run is left to be drawn.
        """
        values = self.values
        if self.run is not None and self.run.prepared is not None and values == self._given_of_run:
            values = {**values, **self.run.prepared.inputs.drawn}
        return code_for(self._called(), values, self._options)

    def _called(self) -> str:
        """Return the workflow's name, if that is enough to find it; else its id."""
        workflow = self._prepared.workflow
        listed = self._core.catalogue.cache.peek("workflows")
        same = [each for each in (listed.value if listed is not None else ()) if each.name == workflow.name]
        ids = {each.id for each in (listed.value if listed is not None else ())}
        alone = bool(workflow.name) and len(same) == 1 and workflow.name not in ids
        return str(workflow.name) if alone and str(workflow.name).isprintable() else workflow.id

    def _show_code(self) -> None:
        shown = f'<pre style="margin:4px 0;white-space:pre-wrap">{escape_lines(self.to_code())}</pre>'
        self._code.value = "" if self._code.value else shown

    # -- how it looks -------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Take the widget away. Its runs go on."""
        if self._view is not None:
            self._view.close()
        close_tree(self.box)

    def _card(self) -> Card:
        problems = self._merged().problems
        given = {name: str(value) if isinstance(value, Path) else value for name, value in self.values.items()}
        return form_card(
            self._prepared.name,
            self._prepared.definitions,
            given,
            problems,
            route=self._prepared.route,
            price=self._prepared.price,
            reason=self._why_not(problems),
            run=self.run.id if self.run is not None else None,
        )

    def __repr__(self) -> str:
        return card_text(self._card())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        twins = {"text/plain": repr(self), "text/html": card_html(self._card())}
        return {**(self.box._repr_mimebundle_() or {}), **twins}


def escape_lines(text: str) -> str:
    """Return a text of several lines for HTML."""
    return "\n".join(" " * (len(line) - len(line.lstrip(" "))) + escape(line, None) for line in text.splitlines())


def _stand_in(value: Any) -> Any:
    if isinstance(value, list):
        return [_stand_in(each) for each in value]
    return f"{_STANDS_FOR}{value.name}" if isinstance(value, Path) else value


def _bad(text: str) -> str:
    return f'<span style="color:var(--jp-error-color1,#e04848)">{escape(text, 1200)}</span>'
