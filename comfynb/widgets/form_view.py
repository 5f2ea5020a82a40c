"""The widgets of a form: its fields in their groups, its buttons, and its runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from comfynb.display.form import FORM_STYLE, code_html, head_html, said_html
from comfynb.errors import InputError
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.text import tidy
from comfynb.widgets.closing import close_tree
from comfynb.widgets.fields.field import UNSET, Field
from comfynb.widgets.fields.making import make_field
from comfynb.widgets.fields.seed import SeedField

if TYPE_CHECKING:
    from comfynb.runs.run import Run
    from comfynb.services.prepared import Prepared
    from comfynb.widgets.form import RunForm
    from comfynb.widgets.run_view import RunView

__all__ = ["FormView"]


class FormView:
    """The widgets of a form. It shows what the form holds, and tells it what a person does.

    Parameters
    ----------
    form : RunForm
        The form.

    Attributes
    ----------
    box : ipywidgets.VBox
        All of it.
    fields : dict of str to Field
        The fields, by input name.
    """

    def __init__(self, form: RunForm) -> None:
        import ipywidgets as widgets

        self._form = form
        self.fields: dict[str, Field] = {}
        self.run = widgets.Button(description="Run", icon="play", button_style="primary")
        self.cancel = widgets.Button(description="Cancel", icon="stop", disabled=True)
        self.reset = widgets.Button(description="Reset", icon="undo", tooltip="Take all fields back to their defaults")
        self.code = widgets.Button(description="Code", icon="code", tooltip="The code that does the same")
        self.again = widgets.Button(description="Check again", icon="refresh", tooltip="Ask again where it would run")
        self._head = widgets.HTML()
        self._why = widgets.HTML()
        self._said = widgets.HTML()
        self._code = widgets.HTML(layout=widgets.Layout(display="none"))
        self._runs = widgets.VBox()
        self._views: list[RunView] = []
        self._told: Prepared | None = None
        self.run.on_click(lambda _: form._press())
        self.cancel.on_click(lambda _: form._cancel())
        self.reset.on_click(lambda _: form.reset())
        self.code.on_click(lambda _: self._toggle_code())
        self.again.on_click(lambda _: form._look_again())
        buttons = widgets.HBox(
            [self.run, self.cancel, self.reset, self.code, self.again], layout=widgets.Layout(flex_flow="row wrap")
        )
        self.box = widgets.VBox(
            [self._head, *self._groups(widgets), buttons, self._why, self._said, self._code, self._runs]
        )
        self.box.add_class("comfynb-form")
        for name, value in form._state.given.items():
            self.fields[name].show(value)
        self.update()

    def _groups(self, widgets: Any) -> list[Any]:
        """Return the fields in the workflow's order, those of a group together where its first one stands."""
        found: list[Any] = []
        groups: dict[str, tuple[str, list[Any]]] = {}
        for name, definition in self._form._state.definitions.items():
            field = self.fields[name] = make_field(definition, partial(self._form._give, name))
            if definition.group is None:
                found.append(field.box)
                continue
            if definition.group not in groups:
                groups[definition.group] = (_title(definition), [])
                found.append(groups[definition.group])
            groups[definition.group][1].append(field.box)
        return [
            widgets.Accordion([widgets.VBox(each[1])], titles=(each[0],), selected_index=0)
            if isinstance(each, tuple)
            else each
            for each in found
        ]

    # -- showing ------------------------------------------------------------------------------------------------

    def show_all(self) -> None:
        """Show the values of all fields."""
        given = self._form._state.given
        for name, field in self.fields.items():
            field.show(given.get(name, UNSET))
        self.update()

    def update(self) -> None:
        """Show what is known now. Called on any thread, so traits are set and nothing else."""
        form = self._form
        facts = form._facts()
        for name, field in self.fields.items():
            field.tell(facts.problems.get(name))
        self.run.disabled = form._busy or bool(facts.reason)
        self.cancel.disabled = not form._can_cancel
        self.again.layout.display = None if facts.prepared.blockers else "none"
        if facts.prepared is not self._told:
            self._told = facts.prepared
            _put(self._head, FORM_STYLE + head_html(facts.prepared))
        _put(self._why, said_html(f"Run is not possible: {facts.reason}", "warn") if facts.reason else "")
        _put(self._said, said_html(facts.said, facts.tone))
        if self._code.layout.display != "none":
            self._show_code()

    def show_run(self, run: Run) -> None:
        """Show a run that was started; those that have ended are taken away, and stay in `form.runs`."""
        from comfynb.widgets.run_view import RunView

        for name, number in (run.prepared.inputs.drawn if run.prepared is not None else {}).items():
            field = self.fields.get(name)
            if isinstance(field, SeedField):
                field.drew(number)
        ended = [view for view in self._views if view.run.ended]
        self._views = [RunView(run), *(view for view in self._views if not view.run.ended)]
        self._runs.children = [view.box for view in self._views]
        for view in ended:
            view.close()

    def _toggle_code(self) -> None:
        hidden = self._code.layout.display == "none"
        self._code.layout.display = None if hidden else "none"
        if hidden:
            self._show_code()

    def _show_code(self) -> None:
        form = self._form
        try:
            words = code_html(form.to_code())
            if form._drawn:
                words += said_html("The same with the seeds that the last run drew:", "plain")
                words += code_html(form.to_code(drawn=True))
        except InputError as error:
            words = said_html(str(error), "bad")
        _put(self._code, words)

    def close(self) -> None:
        """Close all widgets."""
        for view in self._views:
            view.close()
        self._views = []
        close_tree(self.box)


def _title(definition: InputDefinition) -> str:
    return tidy(definition.group_name) or tidy(definition.group) or "group"


def _put(widget: Any, words: str) -> None:
    if widget.value != words:
        widget.value = words
