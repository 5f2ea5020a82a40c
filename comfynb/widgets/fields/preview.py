"""Small previews of files, as HTML that is safe whatever the file is called and wherever it is."""

from __future__ import annotations

import base64
import html
import io
import warnings
from contextlib import suppress
from os.path import splitext
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from comfynb.display.form import value_words
from comfynb.display.html import escape, safe_url
from comfynb.errors import InputError
from comfynb.rules.coercion import is_image_data_uri
from comfynb.rules.input_classes import Kind
from comfynb.rules.sizes import size_words
from comfynb.services.given_files import file_to_upload, result_of
from comfynb.widgets.fields.local import NamedBytes

__all__ = ["preview_html"]

_ENDINGS: Final = {
    "image": frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif"}),
    "video": frozenset({".mp4", ".webm", ".mov"}),
    "audio": frozenset({".mp3", ".wav", ".flac", ".ogg", ".m4a", ".opus"}),
}
_TAGS: Final = {
    "image": '<img src="{}" alt="" loading="lazy" referrerpolicy="no-referrer">',
    "video": '<video src="{}" controls preload="metadata"></video>',
    "audio": '<audio src="{}" controls preload="metadata"></audio>',
}
_MEDIA: Final = {
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".mov": "video/mp4",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".m4a": "audio/mp4",
    ".opus": "audio/ogg",
}
_LARGEST: Final = 4_000_000
"""Bytes of a film or a sound that are sent back to the browser, only to be looked at."""
_LARGEST_PICTURE: Final = 50_000_000
_THUMBNAIL: Final = (320, 160)


def preview_html(kind: Kind, value: Any) -> str:
    """Return a preview of a file, or its name and size; empty if there is nothing to show yet.

    Parameters
    ----------
    kind : Kind
        What it is for.
    value : object
        An address, a path where the kernel runs, the content of a file, a picture, an array, or an output.

    Examples
    --------
    >>> preview_html("image", "https://host/a.pn"), preview_html("image", "javascript:alert(1)")
    ('', '')
    >>> preview_html("video", "https://host/a.mp4")
    '<video src="https://host/a.mp4" controls preload="metadata"></video>'
    """
    kind = "image" if kind == "images" else kind
    if isinstance(value, str):
        return _of_text(kind, value.strip())
    made = result_of(value)
    if made is not None:
        return _of_text(kind, made.url or "")
    if not isinstance(value, Path | bytes):
        try:
            file = file_to_upload(value)
        except InputError:
            return ""
        # A picture or an array, as which it is sent; or an open file.
        value = file.source if isinstance(file.source, Path) else NamedBytes(file.source, file.name)
    with suppress(OSError, ValueError):
        size = len(value) if isinstance(value, bytes) else value.stat().st_size if value.is_file() else None
        if size is not None:
            name = value.name if isinstance(value, Path) else str(getattr(value, "name", ""))
            words = value_words(kind, value) if isinstance(value, bytes) else f"{value} ({size_words(size)})"
            return f'{_of_file(kind, name, value, size)}<div class="cnb-note">{escape(words)}</div>'
    return ""


def _of_text(kind: Kind, text: str) -> str:
    if kind == "image" and is_image_data_uri(text):
        return _TAGS["image"].format(html.escape(text, quote=True))
    url = safe_url(text)
    # While somebody types, half an address must not be asked for.
    if url is None or splitext(urlsplit(url).path)[1].lower() not in _ENDINGS.get(kind, ()):
        return ""
    return _TAGS[kind].format(html.escape(url, quote=True))


def _of_file(kind: Kind, name: str, value: Path | bytes, size: int) -> str:
    if kind == "image" and size <= _LARGEST_PICTURE:
        return _thumbnail(value)
    media = _MEDIA.get(splitext(name)[1].lower(), "")
    if not media.startswith(f"{kind}/") or size > _LARGEST:
        return ""
    content = value if isinstance(value, bytes) else value.read_bytes()
    return _TAGS[kind].format(f"data:{media};base64,{base64.b64encode(content).decode()}")


def _thumbnail(value: Path | bytes) -> str:
    from PIL import Image

    made = io.BytesIO()
    with suppress(Exception), warnings.catch_warnings():  # whatever is wrong with a picture, a form is shown
        warnings.simplefilter("error")  # a picture that is too large to be unpacked is only warned of
        with Image.open(io.BytesIO(value) if isinstance(value, bytes) else value) as picture:
            picture.thumbnail(_THUMBNAIL)
            picture.convert("RGBA").save(made, "PNG")
        return _TAGS["image"].format(f"data:image/png;base64,{base64.b64encode(made.getvalue()).decode()}")
    return ""
