"""A browser over a workspace: workflows with their forms, versions and runs; deployments; machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from comfynb.display.card import Card, Dot, Notes, Section, Table
from comfynb.display.html import card_html
from comfynb.display.text import card_text
from comfynb.display.words import count, moment, seconds, status_tone
from comfynb.errors import ComfyError
from comfynb.rules.environments import ENVIRONMENTS
from comfynb.rules.status import ACTIVE
from comfynb.rules.text import is_unknown, tidy
from comfynb.widgets.closing import close_tree

if TYPE_CHECKING:
    from comfynb.workspace import Workspace

__all__ = ["WorkspaceBrowser"]

_ROWS: Final = 200
"""Rows of a table that are shown; a page of thousands is of no use to a person."""
_STATUSES: Final = ("any", "success", "failed", "cancelled", "timeout", "running", "queued", "not-started")
_WHOLE: Final = {"description_width": "initial"}
"""The style of a control whose description is not cut."""
_PAGES: Final = ("Overview", "Run", "Runs", "Versions")


class WorkspaceBrowser:
    """One widget over everything in a workspace.

    Parameters
    ----------
    ws : Workspace
        The workspace.

    Attributes
    ----------
    box : ipywidgets.VBox
        The widget.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> browser = ws.browse()
    >>> browser.search("wan")
    ['img2vid - wan 2.1']
    >>> browser.close()
    """

    def __init__(self, ws: Workspace) -> None:
        import ipywidgets as widgets

        self._ws = ws
        self._widgets = widgets
        wide = widgets.Layout(width="auto")
        self._search = widgets.Text(placeholder="search names", continuous_update=True, layout=wide)
        self._search.observe(self._searched, "value")
        self._list = widgets.Select(options=[], rows=16, layout=wide)
        self._list.observe(self._chosen, "value")
        self._found = widgets.HTML()
        left = widgets.VBox(
            [self._search, self._list, self._found], layout=widgets.Layout(width="200px", flex="0 0 auto")
        )
        self._pages = widgets.Tab(
            [widgets.VBox() for _ in _PAGES], layout=widgets.Layout(width="auto", min_width="0", flex="1 1 0")
        )
        for place, title in enumerate(_PAGES):
            self._pages.set_title(place, title)
        self._pages.observe(self._paged, "selected_index")
        workflows = widgets.HBox([left, self._pages], layout=widgets.Layout(width="100%"))
        self._environment = widgets.Dropdown(options=["any", *ENVIRONMENTS], description="environment", style=_WHOLE)
        self._environment.observe(lambda _: self._show_deployments(), "value")
        self._deployments = widgets.HTML()
        self._machines = widgets.HTML()
        self._top = widgets.Tab(
            [workflows, widgets.VBox([self._environment, self._deployments]), widgets.VBox([self._machines])]
        )
        for place, title in enumerate(("Workflows", "Deployments", "Machines")):
            self._top.set_title(place, title)
        self._top.observe(self._topped, "selected_index")
        reload = widgets.Button(description="Reload", icon="refresh", tooltip="Ask the server for everything anew")
        reload.on_click(lambda _: self.reload())
        self._head = widgets.HTML()
        head = widgets.HBox([self._head, reload], layout=widgets.Layout(align_items="center"))
        self.box = widgets.VBox([head, self._top])
        self._names: list[tuple[str, str, str]] = []
        self._loaded: set[tuple[str, int]] = set()
        self._open: list[Any] = []
        self._read()

    # -- what a person does, also in code -----------------------------------------------------------------------

    def search(self, words: str) -> list[str]:
        """Show the workflows in whose name or standard name these words are; return their names."""
        self._search.value = words
        return [label for label, _ in self._list.options]

    def choose(self, workflow: Any, page: str = "Overview") -> None:
        """Show a page of a workflow: "Overview", "Run", "Runs" or "Versions"."""
        found = self._ws.workflow(workflow)
        self._search.value = ""
        self._list.value = found.id
        self._pages.selected_index = _PAGES.index(page)

    def reload(self) -> None:
        """Ask the server for everything anew."""
        self._ws.reload()
        self._loaded.clear()
        self._read()
        self._paged(None)
        self._topped(None)

    def close(self) -> None:
        """Take the widget away, with the views of runs in it. Runs go on."""
        self._close_open()
        close_tree(self.box)

    # -- workflows ----------------------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            table = self._ws.workflows()
        except ComfyError as error:
            self._head.value = _told(str(error))
            return
        standard = [name if isinstance(name, str) else "" for name in table["standard_name"]]
        shown = [tidy(name, 60) if isinstance(name, str) and tidy(name, 60) else "(no name)" for name in table["name"]]
        self._names = list(zip(shown, standard, table["id"], strict=True))
        source = tidy(str(table.attrs.get("source", "")), 100)
        self._head.value = card_html(Card(status="", title=f"{count(len(self._names), 'workflow')} on {source}"))
        self._searched(None)

    def _searched(self, _: Any) -> None:
        words = tidy(self._search.value, 100).casefold()
        spelled = words.replace(" ", "_").replace("-", "_")
        found = [
            (shown, workflow_id)
            for shown, standard, workflow_id in self._names
            if words in shown.casefold() or (spelled and spelled in standard)
        ]
        chosen = self._list.value
        self._list.options = found
        self._found.value = "" if found else _told("No workflow's name has these words.")
        if chosen in {workflow_id for _, workflow_id in found}:
            self._list.value = chosen
        elif found and self._list.value is None:
            self._list.value = found[0][1]

    def _chosen(self, change: Any) -> None:
        if change.new is None or change.new == change.old:
            return
        self._loaded.clear()
        self._close_open()
        for page in self._pages.children:
            page.children = ()
        self._paged(None)

    def _paged(self, _: Any) -> None:
        """Fill the page that is shown, when it is shown for the first time."""
        workflow_id, place = self._list.value, self._pages.selected_index or 0
        if workflow_id is None or (workflow_id, place) in self._loaded:
            return
        self._loaded.add((workflow_id, place))
        fill: Callable[[str], list[Any]] = (self._overview, self._form, self._runs, self._versions)[place]
        try:
            children = fill(workflow_id)
        except ComfyError as error:
            self._loaded.discard((workflow_id, place))
            children = [self._widgets.HTML(_told(str(error)))]
        self._pages.children[place].children = children

    def _overview(self, workflow_id: str) -> list[Any]:
        return [self._widgets.HTML(self._ws.workflow(workflow_id)._repr_html_())]

    def _form(self, workflow_id: str) -> list[Any]:
        form = self._ws.form(workflow_id)
        self._open.append(form)
        return [form.box]

    def _versions(self, workflow_id: str) -> list[Any]:
        table = self._ws.versions(workflow_id)
        rows = [
            (
                _text(row.version),
                _text(row.comment),
                _text(row.output_kind),
                _text(row.node_count),
                _moment(row.created),
            )
            for row in table.head(_ROWS).itertuples()
        ]
        columns = ("version", "comment", "makes", "nodes", "created")
        return [self._widgets.HTML(_page("", Table("", columns, tuple(rows), "no versions"), more=len(table) - _ROWS))]

    def _runs(self, workflow_id: str) -> list[Any]:
        widgets = self._widgets
        narrow = widgets.Layout(width="auto")
        status = widgets.Dropdown(options=_STATUSES, description="status", style=_WHOLE, layout=narrow)
        limit = widgets.Dropdown(options=[20, 100, 500], description="newest", style=_WHOLE, layout=narrow)
        again = widgets.Button(description="Refresh", icon="refresh", layout=narrow)
        shown, picked = widgets.HTML(), widgets.Dropdown(options=[("look at one …", None)], layout={"width": "auto"})
        view = widgets.VBox()

        def read(_: Any = None) -> None:
            try:
                runs = self._ws.runs(workflow=workflow_id, limit=limit.value)
            except ComfyError as error:
                shown.value = _told(str(error))
                return
            if status.value != "any":
                runs = runs[runs["status"] == status.value]
            found: list[Any] = list(runs.itertuples())
            rows = [
                (
                    Dot(_text(row.status) or "?", "busy" if row.status in ACTIVE else status_tone(_text(row.status))),
                    _moment(row.created),
                    None if is_unknown(row.duration_seconds) else seconds(row.duration_seconds),
                    _text(row.error),
                    _text(row.machine),
                    _text(row.environment),
                )
                for row in found
            ]
            columns = ("status", "created", "took", "error", "machine", "environment")
            shown.value = _page("", Table("", columns, tuple(rows[:_ROWS]), "no runs"), more=len(rows) - _ROWS)
            choices: list[tuple[str, str | None]] = [("look at one …", None)]
            choices += [(f"{_moment(row.created)}, {_text(row.status)}", row.id) for row in found[:_ROWS]]
            picked.options = choices

        def pick(change: Any) -> None:
            from comfynb.widgets.run_view import RunView

            if change.new is None:
                return
            try:
                shown_run = RunView(self._ws.get_run(change.new))
            except ComfyError as error:
                view.children = [widgets.HTML(_told(str(error)))]
                return
            self._open.append(shown_run)
            view.children = [shown_run.box]

        for control in (status, limit):
            control.observe(read, "value")
        again.on_click(read)
        picked.observe(pick, "value")
        read()
        controls = widgets.HBox([status, limit, again], layout=widgets.Layout(flex_flow="row wrap"))
        return [controls, shown, picked, view]

    def _close_open(self) -> None:
        for each in self._open:
            each.close()
        self._open.clear()

    # -- deployments and machines -------------------------------------------------------------------------------

    def _topped(self, _: Any) -> None:
        place = self._top.selected_index
        if place == 1:
            self._show_deployments()
        elif place == 2:
            self._show_machines()

    def _show_deployments(self) -> None:
        environment = None if self._environment.value == "any" else self._environment.value
        try:
            table = self._ws.deployments(environment=environment)
        except ComfyError as error:
            self._deployments.value = _told(str(error))
            return
        rows = [
            (
                _text(row.name),
                _text(row.environment),
                None if is_unknown(row.version) else str(row.version),
                _text(row.machine),
                Dot(_text(row.machine_status) or "?", status_tone(_text(row.machine_status))),
                _text(row.gpu),
                _text(row.problem),
            )
            for row in table.itertuples()
        ]
        columns = ("workflow", "environment", "version", "machine", "its status", "GPU", "problem")
        self._deployments.value = _page("", Table("", columns, tuple(rows[:_ROWS]), "none"), more=len(rows) - _ROWS)

    def _show_machines(self) -> None:
        try:
            table = self._ws.machines()
        except ComfyError as error:
            self._machines.value = _told(str(error))
            return
        rows = [
            (
                Dot(_text(row.status) or "?", status_tone(_text(row.status))),
                _text(row.name),
                _text(row.type),
                _text(row.gpu),
                "yes" if row.can_cancel is True or str(row.can_cancel) == "True" else "no",
            )
            for row in table.itertuples()
        ]
        columns = ("status", "machine", "type", "GPU", "can cancel runs")
        self._machines.value = _page("", Table("", columns, tuple(rows[:_ROWS]), "none"), more=len(rows) - _ROWS)

    # -- how it looks without widgets ---------------------------------------------------------------------------

    def _card(self) -> Card:
        rows = tuple((shown, standard or None, workflow_id) for shown, standard, workflow_id in self._names[:_ROWS])
        sections: list[Section] = [Table("workflows", ("name", "standard name", "id"), rows, "none")]
        if len(self._names) > _ROWS:
            sections.append(Notes((f"and {len(self._names) - _ROWS} more: ws.workflows()",)))
        return Card(
            status="",
            title=f"browser over {count(len(self._names), 'workflow')}",
            sections=tuple(sections),
            following=('ws.workflow("…")', 'ws.form("…")', 'ws.runs("…")', "ws.machines()"),
        )

    def __repr__(self) -> str:
        return card_text(self._card())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        twins = {"text/plain": repr(self), "text/html": card_html(self._card())}
        return {**(self.box._repr_mimebundle_() or {}), **twins}


def _page(title: str, table: Table, *, more: int = 0) -> str:
    notes: tuple[Section, ...] = (Notes((f"and {more} more",)),) if more > 0 else ()
    return card_html(Card(status="", title=title, sections=(table, *notes)))


def _told(trouble: str) -> str:
    return card_html(Card(status="", title="", sections=(Notes((trouble,), "bad"),)))


def _moment(value: Any) -> str | None:
    return None if is_unknown(value) else moment(value)


def _text(value: Any) -> str | None:
    return None if is_unknown(value) else tidy(value, 200)
