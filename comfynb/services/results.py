"""What a run made: one entry per file or text, out of the server's output rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os.path import splitext
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

_KIND_OF_KEY = {
    "images": "image",
    "gifs": "video",
    "videos": "video",
    "video": "video",
    "audio": "audio",
    "mesh": "3d",
    "3d": "3d",
    "result": "3d",
    "model_file": "3d",
    "files": "file",
    "text_file": "file",
    "exr": "file",
}

_KIND_OF_ENDING = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".avif", ".tif", ".tiff"), "image"),
    **dict.fromkeys((".mp4", ".webm", ".mov", ".mkv", ".avi"), "video"),
    **dict.fromkeys((".wav", ".mp3", ".flac", ".ogg", ".m4a", ".opus"), "audio"),
    **dict.fromkeys((".glb", ".gltf", ".obj", ".stl", ".ply", ".fbx", ".usdz"), "3d"),
    **dict.fromkeys((".txt", ".json", ".csv", ".md"), "text"),
}


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One thing that a run made.

    Attributes
    ----------
    kind : str
        "image", "video", "audio", "3d", "text" or "file", by the ending of its name, else by what the node calls it.
    filename : str
        The server's name for it; not to be trusted as a path.
    url : str or None
        Where it can be fetched; None for a text that came with the answer.
    text : str or None
        The text itself, where it came with the answer.
    node_id, node_class : str or None
        The node that made it; real machines tell the class of text outputs only.
    output_id : str or None
        The name that the workflow gives to this output, if any.
    run_id : str
        The run.
    subfolder : str
        Folder on the machine.
    """

    kind: str
    filename: str
    url: str | None
    text: str | None
    node_id: str | None
    node_class: str | None
    output_id: str | None
    run_id: str
    subfolder: str = ""

    @property
    def key(self) -> tuple[str | None, str, str | None]:
        """What tells it from the others of its run. Its URL does not: that of a private one is signed each time."""
        return (self.node_id, f"{self.subfolder}/{self.filename}", self.text)


def result_files(
    outputs: Sequence[Any] | None, run_id: str, node_classes: Mapping[str, str] | None = None
) -> tuple[ResultFile, ...]:
    """Return everything in a run's outputs, in their order.

    Parameters
    ----------
    outputs : sequence
        Output rows, as models or as plain dicts. What is no output (node timings, errors) is passed over.
    run_id : str
        The run they belong to.
    node_classes : mapping of str to str, optional
        Class of each node id, from the workflow's graph.

    Examples
    --------
    >>> images = [{"filename": "a.png", "url": "http://host/a.png"}]
    >>> rows = [{"data": {"images": images}, "node_meta": {"node_id": "9"}}]
    >>> result_files(rows, "r1", {"9": "SaveImage"})[0].node_class
    'SaveImage'
    """
    found: dict[tuple[str | None, str, str | None], ResultFile] = {}
    for row in outputs or ():
        data = _field(row, "data")
        if not isinstance(data, dict) or "exception_message" in data:
            continue
        meta = _field(row, "node_meta")
        meta = meta if isinstance(meta, dict) else {}
        node_id = _text(meta.get("node_id")) or _text(_field(row, "node_id"))
        node_class = _text(meta.get("node_class")) or (node_classes or {}).get(node_id or "")
        output_id = _text(_field(row, "output_id"))
        for key, items in data.items():
            for item in items if isinstance(items, list) else [items]:
                file = _entry(str(key), item, run_id, node_id, node_class, output_id)
                if file is not None:
                    found.setdefault(file.key, file)
    return tuple(found.values())


def _entry(
    key: str, item: Any, run_id: str, node_id: str | None, node_class: str | None, output_id: str | None
) -> ResultFile | None:
    if isinstance(item, dict):
        url = _text(item.get("url"))
        name = _text(item.get("filename")) or _name_in(url)
        url = _quoted(url, name)
        if url is None and not name:
            return None
        ending = splitext(name)[1].lower()
        kind = _KIND_OF_ENDING.get(ending) or _KIND_OF_KEY.get(key, "file")
        subfolder = _text(item.get("subfolder")) or ""
        return ResultFile(kind, name or "output", url, None, node_id, node_class, output_id, run_id, subfolder)
    if isinstance(item, str) and item.startswith(("http://", "https://")) and key in _KIND_OF_KEY:
        name = _name_in(item) or "output"
        kind = _KIND_OF_ENDING.get(splitext(name)[1].lower()) or _KIND_OF_KEY[key]
        return ResultFile(kind, name, item, None, node_id, node_class, output_id, run_id)
    if isinstance(item, str) and key in {"text", "string", "texts", "value"}:
        name = f"{output_id or f'text_{node_id or 0}'}.txt"
        return ResultFile("text", name, None, item, node_id, node_class, output_id, run_id)
    return None


def _quoted(url: str | None, name: str) -> str | None:
    """Return an address in which the name of the file is quoted: the server puts it there as it is.

    Examples
    --------
    >>> _quoted("http://host/runs/r1/50% #2?.png", "50% #2?.png")
    'http://host/runs/r1/50%25%20%232%3F.png'
    """
    if url is None or not name or quote(name) == name or not url.endswith(f"/{name}"):
        return url
    return f"{url[: -len(name)]}{quote(name, errors='replace')}"


def _name_in(url: str | None) -> str:
    return unquote(PurePosixPath(urlsplit(url).path).name) if url else ""


def _field(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else getattr(row, name, None)


def _text(value: Any) -> str | None:
    if type(value) is str:
        return value or None
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
