"""A button that uploads files to the kernel, with the limit beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from comfynb.display.form import said_html
from comfynb.rules.input_classes import Kind
from comfynb.rules.sizes import size_words
from comfynb.rules.text import tidy
from comfynb.widgets.fields.local import UPLOAD_LIMIT, NamedBytes, too_large

__all__ = ["UploadButton"]

_ACCEPTED: Final[dict[Kind, str]] = {
    "image": "image/*",
    "images": "image/*",
    "video": "video/*",
    "audio": "audio/*",
    "exr": ".exr",
}


class UploadButton:
    """A button for files of a person's own machine.

    Parameters
    ----------
    kind : Kind
        What they are for.
    take : callable
        Called with the files that were uploaded and are not too large.
    multiple : bool
        Whether several can be chosen at once.

    Attributes
    ----------
    box : ipywidgets.HBox
        The button, and what is said beside it.
    """

    def __init__(self, kind: Kind, take: Callable[[list[NamedBytes]], None], *, multiple: bool = False) -> None:
        import ipywidgets as widgets

        self._take = take
        self._usual = said_html(
            f"up to {size_words(UPLOAD_LIMIT)}; for a larger file its path where the kernel runs, or a URL", "plain"
        )
        self._button = widgets.FileUpload(
            accept=_ACCEPTED.get(kind, ""),
            multiple=multiple,
            tooltip="Upload from your own machine",
            layout=widgets.Layout(width="auto", flex="0 0 auto"),
        )
        self._note = widgets.HTML(self._usual)
        self._button.observe(self._uploaded, "value")
        self.box = widgets.HBox([self._button, self._note], layout=widgets.Layout(align_items="center"))

    def _uploaded(self, change: Any) -> None:
        if not change.new:
            return
        files: list[NamedBytes] = []
        refused: list[str] = []
        for file in change.new:
            name = tidy(file.get("name"), 200).replace("/", "_").replace("\\", "_") or "file"
            content = bytes(file.get("content", b""))
            why = too_large(name, max(len(content), int(file.get("size") or 0)))
            if why:
                refused.append(why)
            else:
                files.append(NamedBytes(content, name))
        self._note.value = said_html("\n".join(refused), "bad") or self._usual
        self._button.value = ()  # the content is the form's now, and need not be kept twice
        if files:
            self._take(files)
