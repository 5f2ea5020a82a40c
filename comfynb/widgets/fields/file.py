"""A field for one file: a picture, a film, a sound, an EXR file or any other."""

from __future__ import annotations

from typing import Any

from comfynb.widgets.fields.address import default_words
from comfynb.widgets.fields.field import UNSET, Field, sendable
from comfynb.widgets.fields.local import NamedBytes, read_typed
from comfynb.widgets.fields.preview import preview_html
from comfynb.widgets.fields.uploading import UploadButton

__all__ = ["FileField"]


class FileField(Field):
    """A URL, a path where the kernel runs, or an upload; an empty one means the default."""

    def _make(self, widgets: Any) -> list[Any]:
        self._default, told = default_words(self.definition)
        self._control = widgets.Text(
            value=self._default,
            placeholder=told or "URL, or path where the kernel runs",
            layout=widgets.Layout(width="auto", max_width="720px"),
            tooltip=self.hint,
        )
        self._upload = UploadButton(self.definition.kind, self._uploaded)
        self._preview = widgets.HTML()
        self._look(UNSET)
        self._control.observe(self._typed, "value")
        return [self._control, self._upload.box, self._preview]

    def _typed(self, change: Any) -> None:
        if self._showing:
            return
        text = change.new.strip()
        value: Any = UNSET if text in ("", self._default) else read_typed(text)
        self._look(value)
        self._changed(value)

    def _uploaded(self, files: list[NamedBytes]) -> None:
        self.show(files[0])
        self._give(files[0])

    def _put(self, value: Any) -> None:
        if value is UNSET:
            self._control.value = self._default
        elif isinstance(value, str) or hasattr(value, "parts"):
            self._control.value = sendable(value)
        else:
            self._control.value = ""  # what has no address is told by the preview
        self._look(value)

    def _look(self, value: Any) -> None:
        kind = self.definition.kind
        # A default with more to it than an address may have a key in it.
        default = self._default or (self.definition.default if _is_data(self.definition.default) else "")
        words = preview_html(kind, default if value is UNSET else value)
        if words != self._preview.value:
            self._preview.value = words


def _is_data(value: Any) -> bool:
    return isinstance(value, str) and value[:5].lower() == "data:"
