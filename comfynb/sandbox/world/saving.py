"""A world written into a TOML file, with its graphs in files beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from comfynb.errors import ConfigurationError

__all__ = ["save_world"]

GRAPHS = ("workflow_api", "workflow")
_LONGEST_STEM = 40


def save_world(content: Mapping[str, Any], path: str | Path) -> Path:
    """Write a world, as `Sandbox(world=…)` takes it, into a TOML file.

    Its graphs go into a folder beside it that is called like the file.

    Parameters
    ----------
    content : mapping
        The world.
    path : path
        The file; it must not be there.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigurationError
        If it is there already, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> world = {"machines": [{"name": "studio"}], "workflows": [{"name": "shoes", "inputs": ["prompt"]}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(save_world(world, f"{folder}/my.toml").read_text())
    [[machines]]
    name = "studio"
    <BLANKLINE>
    [[workflows]]
    name = "shoes"
    inputs = ["prompt"]
    <BLANKLINE>
    """
    path = Path(path).expanduser()
    folder = path.with_suffix("") if path.suffix else path.with_name(f"{path.name}-graphs")
    try:
        if path.exists():
            raise ConfigurationError(f"{path} is there already; it is not written over.")
        workflows = [_outside(each, folder) for each in content.get("workflows", ())]
        lines = list(_table({**content, "workflows": workflows}, ""))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines).strip("\n") + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigurationError(f"{error.filename or path} cannot be written: {error.strerror or error}.") from None
    return path


def _outside(workflow: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write the graphs of a workflow into files, and return it with their paths instead."""
    stem = re.sub(r"\W+", "-", str(workflow.get("key") or workflow.get("name")).lower())
    # The names of files may have 255 bytes, on some systems fewer.
    stem = stem[:_LONGEST_STEM].strip("-") or "workflow"
    moved = dict(workflow)
    if isinstance(workflow.get("versions"), list):
        moved["versions"] = [
            _in_files(each, folder, f"{stem}-{each.get('number', place)}")
            for place, each in enumerate(workflow["versions"], 1)
        ]
    return _in_files(moved, folder, stem)


def _in_files(version: Mapping[str, Any], folder: Path, stem: str) -> dict[str, Any]:
    moved = dict(version)
    for name in GRAPHS:
        if not isinstance(version.get(name), Mapping):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        place, number = folder / f"{stem}.{name}.json", 1
        while place.exists():
            number += 1
            place = folder / f"{stem}-{number}.{name}.json"
        place.write_text(json.dumps(version[name], indent=1), encoding="utf-8")
        moved[name] = f"{folder.name}/{place.name}"
    return moved


def _table(content: Mapping[str, Any], at: str) -> Iterator[str]:
    """Yield the lines of a table: what is plain first, since everything after a heading belongs to it."""
    tables = {name: value for name, value in content.items() if _is_tables(value)}
    for name, value in content.items():
        if name not in tables and value is not None:
            yield f"{name} = {_value(value)}"
    for name, rows in tables.items():
        for row in rows:
            yield ""
            yield f"[[{at}{name}]]"
            yield from _table(row, f"{at}{name}.")


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(each) for each in value)}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_text(str(name))} = {_value(each)}" for name, each in value.items() if each is not None)
        return f"{{ {inner} }}"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    # JSON's texts are TOML's, but for one character, and for halves of characters that TOML has no way to write.
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
