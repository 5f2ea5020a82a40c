"""Reviewing a suggested table of names, row by row, and saving it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from comfynb.display.card import Card, Notes, Section, Table
from comfynb.display.html import card_html, escape
from comfynb.display.text import card_text
from comfynb.display.words import count
from comfynb.errors import ComfyError, InputError
from comfynb.names_files import NAMES_FILE, save_names
from comfynb.rules.names_suggest import Accepted, NamesSuggestion, SuggestedName, merged
from comfynb.rules.names_table import NamesTable
from comfynb.rules.text import tidy

_PAGE: Final = 25
"""Rows that are shown at once: a thousand widgets would make a notebook slow."""
_COLUMNS: Final = (
    ("accepted", "70px"),
    ("standard name", "200px"),
    ("API", "180px"),
    ("database", "180px"),
    ("why", "auto"),
)
"""Their heads and widths."""


@dataclass(slots=True)
class _Reviewed:
    """A row, and what was decided about it."""

    row: SuggestedName
    accepted: bool
    standard: str

    def called(self) -> tuple[str, ...]:
        return tuple(
            name
            for name in (self.row.api.name if self.row.api is not None else None, self.row.database, self.row.standard)
            if name
        )


class NamesReview:
    """A widget to accept or change each row of a suggested table of names, and to save the table.

    What is sure is accepted at the beginning; what has to be decided comes first, and is not.

    Parameters
    ----------
    suggestion : NamesSuggestion
        The rows.
    path : str or pathlib.Path, optional
        The file to save to; ``workflow-names.toml`` in the working directory without one.
    """

    def __init__(self, suggestion: NamesSuggestion, path: str | Path | None = None) -> None:
        self._suggestion = suggestion
        self.path = Path(path) if path is not None else Path(NAMES_FILE)
        rows = sorted(suggestion.rows, key=lambda row: row.sure)
        self._rows = [_Reviewed(row, row.sure, row.standard or "") for row in rows]

    # -- deciding -----------------------------------------------------------------------------------------------

    def accept(self, which: str | int, standard: str | None = None) -> NamesReview:
        """Accept a row, under another standard name if one is given.

        Parameters
        ----------
        which : str or int
            A name of the row, of either side, or its standard name; or its number, as it is shown.
        standard : str, optional
            The standard name.

        Raises
        ------
        InputError
            If no row has that name, or more than one.
        """
        found = self._find(which)
        found.accepted = True
        found.standard = found.standard if standard is None else standard
        self._show()
        return self

    def reject(self, which: str | int) -> NamesReview:
        """Leave a row out of the table; see `accept`."""
        self._find(which).accepted = False
        self._show()
        return self

    @property
    def problem(self) -> str:
        """Why what is accepted is no good table of names; empty if it is one."""
        try:
            _ = self.table
        except ComfyError as error:
            return str(error)
        return ""

    @property
    def table(self) -> NamesTable:
        """The table in use with all rows that are accepted.

        Raises
        ------
        ConfigurationError
            If these do not go together.
        """
        accepted = [
            Accepted(each.standard, each.row.api.name if each.row.api is not None else None, each.row.database)
            for each in self._rows
            if each.accepted
        ]
        return NamesTable(merged(self._suggestion.names, accepted))

    def save(self) -> Path:
        """Write what is accepted into the file, and keep the rest of it as it is, comments among it.

        Raises
        ------
        ConfigurationError
            If it is no good table, or the file cannot be written; nothing is changed then.
        """
        return save_names(self.path, self.table.rows)

    def _find(self, which: str | int) -> _Reviewed:
        if isinstance(which, int):
            if not 1 <= which <= len(self._rows):
                raise InputError(f"There is no row {which}; there are {len(self._rows)}.")
            return self._rows[which - 1]
        found = [each for each in self._rows if which in each.called()]
        if len(found) != 1:
            how = "No row has" if not found else f"{len(found)} rows have"
            raise InputError(f"{how} the name {tidy(which, 60)!r}; give the number of the row that you mean.")
        return found[0]

    # -- its plain twins ----------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return card_text(self._card())

    def _repr_html_(self) -> str:
        return card_html(self._card())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown: dict[str, Any] = dict(self.widget._repr_mimebundle_() or {})
        return {**shown, "text/plain": repr(self), "text/html": self._repr_html_()}

    def _card(self) -> Card:
        accepted = sum(each.accepted for each in self._rows)
        sections: list[Section] = [
            Table(
                "",
                ("", "accepted", "standard name", "API", "database", "why"),
                tuple(
                    (
                        str(number),
                        "yes" if each.accepted else "no",
                        each.standard,
                        each.row.api.name if each.row.api is not None else None,
                        each.row.database,
                        each.row.reason(),
                    )
                    for number, each in enumerate(self._rows[: 2 * _PAGE], 1)
                ),
                "There are no names.",
            )
        ]
        if len(self._rows) > 2 * _PAGE:
            sections.append(Notes((f"… and {len(self._rows) - 2 * _PAGE} more.",)))
        if self.problem:
            sections.append(Notes(tuple(self.problem.splitlines()), "bad"))
        return Card(
            status=f"{accepted} of {count(len(self._rows), 'row')} accepted",
            tone="bad" if self.problem else "plain",
            title=f"review of {self.path.name}",
            sections=tuple(sections),
            following=('review.accept("…", standard="…")', 'review.reject("…")', "review.save()"),
        )

    # -- the widget ---------------------------------------------------------------------------------------------

    @cached_property
    def widget(self) -> Any:
        """The widget, for layouts of one's own."""
        return _Form(self)

    def _show(self) -> None:
        if "widget" in vars(self):
            self.widget.show()


def _form_class() -> type[Any]:
    import ipywidgets

    class Form(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
        """The rows of a page, and what to do with them."""

        def __init__(self, review: NamesReview) -> None:
            self._review = review
            self._page = ipywidgets.BoundedIntText(
                value=1, min=1, max=max(1, -(-len(review._rows) // _PAGE)), description="page"
            )
            self._page.observe(lambda _: self.show(), "value")
            self._body = ipywidgets.VBox()
            self._save = ipywidgets.Button(description="Save", tooltip=f"Save {tidy(review.path.name, 60)}")
            self._save.on_click(lambda _: self._saved())
            self._said = ipywidgets.HTML()
            pages = [self._page] if len(review._rows) > _PAGE else []
            super().__init__([self._body, *pages, self._save, self._said])
            self.show()

        def show(self) -> None:
            first = (self._page.value - 1) * _PAGE
            self._body.children = [
                ipywidgets.HBox([_label(column, head) for column, (head, _) in enumerate(_COLUMNS)]),
                *(
                    self._row(number, each)
                    for number, each in enumerate(self._review._rows[first : first + _PAGE], first + 1)
                ),
            ]
            self._tell("")

        def _row(self, number: int, each: _Reviewed) -> Any:
            accepted = ipywidgets.Checkbox(
                value=each.accepted, description=str(number), indent=False, layout=_layout(0)
            )
            standard = ipywidgets.Text(value=each.standard, continuous_update=False, layout=_layout(1))

            def decide(_: Any) -> None:
                each.accepted, each.standard = accepted.value, standard.value
                self._tell("")

            accepted.observe(decide, "value")
            standard.observe(decide, "value")
            api = each.row.api.name if each.row.api is not None else None
            texts = (api, each.row.database, each.row.reason())
            return ipywidgets.HBox([accepted, standard, *map(_label, range(2, 5), texts)])

        def _saved(self) -> None:
            try:
                path = self._review.save()
            except ComfyError as error:
                self._tell(str(error))
            else:
                self._tell(f"Saved {path.name}: {count(len(self._review.table), 'standard name')}.")

        def _tell(self, text: str) -> None:
            told = text or self._review.problem
            self._save.disabled = bool(self._review.problem)
            self._said.value = "<br>".join(escape(line) for line in told.splitlines())

    def _layout(column: int) -> dict[str, str]:
        width = _COLUMNS[column][1]
        return {"width": width, "flex": "0 0 auto" if width != "auto" else "1 1 0"}

    def _label(column: int, text: str | None) -> Any:
        return ipywidgets.HTML(escape(text or ""), layout=_layout(column))

    return Form


def _Form(review: NamesReview) -> Any:  # noqa: N802 - stands for a class that is made when it is needed
    return _form_class()(review)
