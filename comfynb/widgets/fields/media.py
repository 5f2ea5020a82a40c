"""Pictures and other files: a link, a path on the kernel's machine, or one that is uploaded from the browser."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from comfynb.display.html import escape, safe_url
from comfynb.services.downloads import safe_name
from comfynb.widgets.fields.field import NOT_GIVEN, Field, shown_text

__all__ = ["BatchField", "MediaField"]

_ACCEPT: Final = {"image": "image/*", "images": "image/*", "video": "video/*", "audio": "audio/*", "exr": ".exr"}
_WIRE: Final = 8 * 1024 * 1024
"""Bytes that a notebook's websocket takes in one go, with room to spare."""
_READABLE: Final = "A file that you give is uploaded, and anybody who has its link can read it."


class MediaField(Field):
    """One file. A text that names a file on the kernel's machine is that file; else it is a link."""

    several = False

    def make(self, widgets: Any) -> Any:
        """Make the control."""
        kind = self.definition.kind
        self._control = self._text(widgets)
        self._control.observe(self._typed, "value")
        self._upload = widgets.FileUpload(accept=_ACCEPT.get(kind, ""), multiple=self.several, description="from here")
        self._upload.observe(self._uploaded, "value")
        self._told = widgets.HTML(f'<span style="opacity:.7">{_READABLE}</span>')
        self._preview = widgets.HTML()
        return widgets.VBox([widgets.HBox([self._control, self._upload]), self._told, self._preview])

    def _text(self, widgets: Any) -> Any:
        return widgets.Text(placeholder="https://…, or a path", layout={"width": "480px"})

    def _typed(self, _: Any) -> None:
        self._show_preview()
        self.touched()

    def _uploaded(self, change: Any) -> None:
        """Keep what came from the browser as a file, so that code can name it again."""
        names = []
        for file in change.new or ():
            content = bytes(file["content"])
            name = safe_name(str(file["name"]))
            if len(content) > _WIRE:
                self.tell(
                    f"{name} is larger than {_WIRE // 2**20} MB, which a notebook can't take from a browser reliably; "
                    "copy it to the kernel's machine and give its path."
                )
                continue
            path = Path(tempfile.mkdtemp(prefix="comfynb-")) / name
            path.write_bytes(content)
            names.append(str(path))
        if names:
            before = self._control.value.splitlines() if self.several else []
            self._control.value = "\n".join([*before, *names])

    def _show_preview(self) -> None:
        value = self.read()
        first = value[0] if isinstance(value, list) and value else value
        address = safe_url(first) if isinstance(first, str) and self.definition.kind in ("image", "images") else None
        style = "max-height:96px;max-width:240px;border-radius:3px"
        shown = f'<img src="{escape(address, None)}" alt="" style="{style}" referrerpolicy="no-referrer">'
        self._preview.value = shown if address else ""

    def read(self) -> Any:
        """Return the link, or the path of a file that is there."""
        text = self._control.value.strip()
        return NOT_GIVEN if not text else _link_or_path(text)

    def show(self, value: Any) -> None:
        """Hold a link or a path."""
        self._control.value = shown_text(str(value) if isinstance(value, Path) else value)
        self._show_preview()


class BatchField(MediaField):
    """Several files, one a line, in the order in which they are used."""

    several = True

    def _text(self, widgets: Any) -> Any:
        return widgets.Textarea(rows=4, placeholder="one link or path a line", layout={"width": "480px"})

    def read(self) -> Any:
        """Return the links and paths."""
        lines = [line.strip() for line in self._control.value.splitlines() if line.strip()]
        return [_link_or_path(line) for line in lines] if lines else NOT_GIVEN

    def show(self, value: Any) -> None:
        """Hold links and paths."""
        several = value if isinstance(value, list | tuple) else [] if value is NOT_GIVEN else [value]
        self._control.value = "\n".join(map(str, several))
        self._show_preview()


def _link_or_path(text: str) -> str | Path:
    if "://" in text[:12] or text.startswith("data:") or len(text) > 4000:
        return text
    try:
        path = Path(text).expanduser()
        return path if path.is_file() else text
    except (OSError, ValueError):
        return text
