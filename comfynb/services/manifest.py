"""The file that says what the files of a folder are: which run made them, of which inputs."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from comfynb.api.models import Run
from comfynb.errors import ComfyError
from comfynb.services.downloads import Saved

__all__ = ["MANIFEST", "write_manifest"]

MANIFEST: Final = "manifest.json"
_FORMAT: Final = 1
_lock = threading.Lock()


def write_manifest(folder: Path, runs: Sequence[tuple[Run, str | None]], saved: Sequence[Saved]) -> Path:
    """Write down what was saved, beside what was saved there before; return the path.

    Parameters
    ----------
    folder : pathlib.Path
        Where the files are.
    runs : sequence of (Run, name or None)
        The runs that made them, and the names of their workflows.
    saved : sequence of Saved
        The files.

    Raises
    ------
    ComfyError
        If it cannot be written; the files are there all the same.
    """
    folder = folder.expanduser()
    with _lock:
        path = folder / MANIFEST
        before = _read(path)
        if before is None:
            # Somebody else's: it stays as it is.
            path = folder / "comfynb-manifest.json"
            before = _read(path) or []
        entries = {str(entry.get("run_id")): entry for entry in before}
        for run, name in runs:
            files = [_file(each) for each in saved if each.file.run_id == run.id]
            kept = entries.get(run.id, {}).get("files")
            names = {file["file"] for file in files}
            others = [each for each in kept if each.get("file") not in names] if isinstance(kept, list) else []
            entries[run.id] = {**_run(run, name), "files": [*others, *files]}
        text = json.dumps(
            {"comfynb": _FORMAT, "runs": list(entries.values())}, indent=2, ensure_ascii=False, default=str
        )
        temporary = folder / f".comfynb-{secrets.token_hex(8)}.part"
        try:
            temporary.write_text(text + "\n", encoding="utf-8", errors="replace")
            temporary.replace(path)
        except OSError as error:
            raise ComfyError(
                f"The files are in {str(folder)!r}, but its {path.name} could not be written: {error.strerror}."
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
    return path


def _read(path: Path) -> list[Mapping[str, Any]] | None:
    """Return the entries of a manifest, none if there is no such file, and None if it is not one of ours."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("comfynb") != _FORMAT or not isinstance(content.get("runs"), list):
        return None
    return [entry for entry in content["runs"] if isinstance(entry, dict)]


def _run(run: Run, name: str | None) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "workflow": name,
        "workflow_id": run.workflow_id,
        "workflow_version_id": run.workflow_version_id,
        "machine_id": run.machine_id,
        "gpu": run.gpu,
        "status": run.status,
        "created_at": run.created_at.isoformat() if run.created_at is not None else None,
        "inputs": run.workflow_inputs or {},
    }


def _file(saved: Saved) -> dict[str, Any]:
    file = saved.file
    return {
        "file": saved.path.name,
        "sha256": saved.sha256,
        "bytes": saved.size,
        "kind": file.kind,
        "filename": file.filename,
        "node_id": file.node_id,
        "node_class": file.node_class,
        "output_id": file.output_id,
    }
