"""A field for several pictures, in an order."""

from __future__ import annotations

from typing import Any

from comfynb.display.form import value_words
from comfynb.display.html import escape
from comfynb.widgets.closing import close_tree
from comfynb.widgets.fields.field import UNSET, Field
from comfynb.widgets.fields.local import NamedBytes, read_typed
from comfynb.widgets.fields.preview import preview_html
from comfynb.widgets.fields.uploading import UploadButton

__all__ = ["BatchField"]


class BatchField(Field):
    """Pictures by URL, path or upload, that can be moved and taken out; none at all means the default."""

    def _make(self, widgets: Any) -> list[Any]:
        default = self.definition.default
        self._default: list[Any] = list(default) if isinstance(default, list) else []
        self._items = list(self._default)
        self._rows = widgets.VBox()
        self._add = widgets.Text(
            placeholder="add a URL, or a path where the kernel runs",
            continuous_update=False,
            layout=widgets.Layout(width="auto", max_width="720px"),
            tooltip=self.hint,
        )
        self._add.observe(self._added, "value")
        self._upload = UploadButton("images", self._uploaded, multiple=True)
        self._fill()
        return [self._rows, self._add, self._upload.box]

    def _added(self, change: Any) -> None:
        text = change.new.strip()
        if self._showing or not text:
            return
        self._add.value = ""
        self._change([*self._items, read_typed(text)])

    def _uploaded(self, files: list[NamedBytes]) -> None:
        self._change([*self._items, *files])

    def _move(self, place: int, by: int) -> None:
        items = list(self._items)
        if 0 <= place < len(items) and 0 <= place + by < len(items):
            items[place], items[place + by] = items[place + by], items[place]
            self._change(items)

    def _drop(self, place: int) -> None:
        self._change([item for each, item in enumerate(self._items) if each != place])

    def _change(self, items: list[Any]) -> None:
        self._items = items
        self._fill()
        self._give(UNSET if items == self._default else list(items))

    def _put(self, value: Any) -> None:
        if value is UNSET:
            self._items = list(self._default)
        else:
            self._items = list(value) if isinstance(value, list | tuple) else [value]
        self._fill()

    def _fill(self) -> None:
        before = self._rows.children
        self._rows.children = [self._row(place, item) for place, item in enumerate(self._items)]
        for row in before:
            close_tree(row)

    def _row(self, place: int, item: Any) -> Any:
        import ipywidgets as widgets

        def button(icon: str, does: str, do: Any, *, disabled: bool = False) -> Any:
            made = widgets.Button(icon=icon, tooltip=does, disabled=disabled, layout=widgets.Layout(width="36px"))
            made.on_click(lambda _: do())
            return made

        words = f"{place + 1}. {escape(value_words('images', item))}"
        return widgets.HBox(
            [
                button("arrow-up", "Move up", lambda: self._move(place, -1), disabled=place == 0),
                button("arrow-down", "Move down", lambda: self._move(place, 1), disabled=place == len(self._items) - 1),
                button("times", "Take out", lambda: self._drop(place)),
                widgets.HTML(f'<div class="cnb-help">{words}</div>{_shown(item)}'),
            ]
        )


def _shown(item: Any) -> str:
    return preview_html("images", item)
