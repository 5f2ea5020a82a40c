"""Why a run failed or stands still, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from comfynb.rules.input_classes import FILE_KINDS
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.status import WAITING

__all__ = ["Failure", "find_failure", "hint_for", "stall_cause"]

_LONGEST_MESSAGE: Final = 1000
_MEMORY: Final = re.compile(
    r"out ?of ?memory|can't allocate memory|cannot allocate memory|allocation on device", re.IGNORECASE
)
_NOT_THERE: Final = re.compile(r"not in list|no such file|not found|does not exist", re.IGNORECASE)
_FILE_INPUTS: Final = FILE_KINDS | {"images"}

_ALL_BEGUN: Final = 0.995
_HALF_REFUSED: Final = (
    "The machine refused a part of the workflow and ran the rest: the outputs that are there are good, and the refused "
    "part has none."
)
_HALF_RUNNING: Final = (
    "The machine refused a part of the workflow and may still be running the rest, although the run is called failed: "
    "run.refresh() looks for outputs."
)
_UNREACHABLE: Final = (
    "Most likely the machine could not be reached: it is down, or its address is wrong. Look at ws.machines(), and "
    "submit again when it is ready."
)
_NO_MESSAGE: Final = "no message"
_NO_REASON: Final = "The machine gave no reason. Look at its own log, or run the workflow in ComfyUI."
_NO_KNOWN_CAUSE: Final = "No usual cause fits. Run the workflow in ComfyUI, and look at this node."
_GIVEN_UP: Final = (
    "Nothing was heard of it for 24 hours, so the server gave it up: the machine stopped, or did not report the end."
)
_CANCELLED_GOES_ON: Final = "Such a machine may go on for a while after a cancel, and may still upload its outputs."
_NOTHING_UPLOADED: Final = (
    "It ended well, but no output arrived. Either the workflow has only previews, or the machine could not upload its "
    "files (the storage failed, or this repeats an earlier run whose files were removed); then change an input, such "
    "as the seed, and submit again."
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a machine said when a run failed.

    Parameters
    ----------
    message : str
        The machine's words, shortened.
    node_id, node_class : str or None
        The node that failed.
    exception_type : str or None
        The class of the Python error, or ComfyUI's word for what it refused.
    hint : str
        The usual cause and what to do, as far as the message itself tells; may be empty.
    refused : bool
        Whether ComfyUI refused the graph, or a part of it, before it ran.
    """

    message: str
    node_id: str | None = None
    node_class: str | None = None
    exception_type: str | None = None
    hint: str = ""
    refused: bool = False


def find_failure(v1_outputs: Sequence[Mapping[str, Any]] | None) -> Failure | None:
    r"""Return the failure that stands among a run's outputs, or None.

    Only the v1 list of a workflow's runs (`GET /workflow/{id}/runs`) has it: as an output whose data describe an
    error that a node raised, or the machine's refusal of the graph. Tracebacks, paths and tensors are left out.

    Parameters
    ----------
    v1_outputs : sequence of mapping
        The `outputs` of one row of that list.

    Examples
    --------
    >>> error = {"exception_message": "CUDA out of memory\n", "node_id": "3", "node_type": "KSampler"}
    >>> failure = find_failure([{"data": error}])
    >>> failure.message, failure.node_class
    ('CUDA out of memory', 'KSampler')
    """
    for output in v1_outputs if isinstance(v1_outputs, list | tuple) else ():
        data = output.get("data") if isinstance(output, Mapping) else None
        if not isinstance(data, Mapping):
            continue
        if "exception_message" in data or "exception_type" in data:
            return _raised(data)
        if isinstance(data.get("error"), Mapping | str):
            return _refused(data["error"])
    return None


def hint_for(
    failure: Failure | None,
    *,
    status: str,
    machine_type: str | None,
    has_outputs: bool,
    definitions: Sequence[InputDefinition] = (),
    ended: bool | None = None,
) -> str:
    """Return the usual cause of a bad end, and what to do about it; empty if the run needs no explanation.

    Parameters
    ----------
    failure : Failure or None
        What `find_failure` found.
    status : str
        The run's status.
    machine_type : str or None
        The type of its machine, such as "classic".
    has_outputs : bool
        Whether it has outputs.
    definitions : sequence of InputDefinition
        The inputs of its workflow, to name the one that is probably wrong.
    ended : bool or None
        Whether the run has an end time (`ended_at`); None if that is not known. A failed run without one was marked
        so by the server, not by the machine.

    Examples
    --------
    >>> hint_for(None, status="failed", machine_type="classic", has_outputs=False, ended=False)[:46]
    'Most likely the machine could not be reached: '
    """
    if failure is not None and failure.refused and (has_outputs or ended is False):
        # Of a workflow that was refused as a whole the machine reports the end.
        what = "" if failure.message == _NO_MESSAGE else f" What was refused: {failure.message}"
        return (_HALF_REFUSED if has_outputs else _HALF_RUNNING) + what
    if failure is not None:
        return _known_cause(failure, definitions) or _NO_KNOWN_CAUSE
    if status == "failed":
        if has_outputs and ended is not True:
            return _HALF_REFUSED
        return _NO_REASON if ended else _UNREACHABLE
    if status == "timeout":
        return _GIVEN_UP
    if status == "cancelled":
        return "" if _is_serverless(machine_type) else _CANCELLED_GOES_ON
    if status == "success" and not has_outputs:
        return _NOTHING_UPLOADED
    return ""


def stall_cause(
    status: str, machine_type: str | None, live_status: str | None, progress: float | None, has_outputs: bool
) -> str:
    """Return the likely cause why a run stands still, as one or two sentences.

    Parameters
    ----------
    status, machine_type, live_status : str or None
        As the server gives them.
    progress : float or None
        0 to 1: the share of the nodes that have begun.
    has_outputs : bool
        Whether outputs are there already.

    Examples
    --------
    >>> stall_cause("running", "classic", "Executing SaveImage", 1.0, True)[:37]
    'ComfyUI has most likely finished: its'
    """
    if status in WAITING:
        if _is_serverless(machine_type):
            return (
                "It waits for a GPU, or its container is still starting. If that lasts, look at the machine's page: "
                "its build may be broken, or its limit of simultaneous runs reached."
            )
        return (
            "The machine has not begun it: it is busy with other runs, it is down, or it does not know a node of the "
            "workflow (then it says nothing, and the run stays like this for good)."
        )
    if has_outputs:
        return (
            "ComfyUI has most likely finished: its outputs are there, and only the report of its end was lost, which "
            "happens when a picture was uploaded before the last node was done."
        )
    if progress is not None and progress >= _ALL_BEGUN:
        return (
            "Every node has begun, and nothing was uploaded: the workflow has only previews, the last node is slow, "
            "or the machine stopped."
        )
    where = f" at {live_status.removeprefix('Executing ').strip()!r}" if live_status else ""
    return f"It stands{where}: that node is slow, or the machine was stopped or interrupted, which it does not report."


def _raised(data: Mapping[str, Any]) -> Failure:
    exception_type = _text(data.get("exception_type"))
    return _with_hint(
        Failure(
            message=_text(data.get("exception_message")) or exception_type or _NO_MESSAGE,
            node_id=_text(data.get("node_id")) or None,
            node_class=_text(data.get("node_type")) or None,
            exception_type=exception_type or None,
        )
    )


def _refused(error: object) -> Failure:
    """Read ComfyUI's refusal of a graph: the first node that it complains about, else its general message."""
    whole = error if isinstance(error, Mapping) else {"message": error}
    nodes = whole.get("node_errors")
    for node_id, node in nodes.items() if isinstance(nodes, Mapping) else ():
        complaints = node.get("errors") if isinstance(node, Mapping) else None
        for complaint in complaints if isinstance(complaints, list) else ():
            if isinstance(complaint, Mapping):
                return _complaint(complaint, str(node_id), _text(node.get("class_type")) or None)
    inner = whole.get("error")
    return _complaint(inner if isinstance(inner, Mapping) else {"message": inner or whole.get("message")}, None, None)


def _complaint(complaint: Mapping[str, Any], node_id: str | None, node_class: str | None) -> Failure:
    words = [_text(complaint.get("message")), _text(complaint.get("details"))]
    message = ": ".join(word for word in words if word) or _NO_MESSAGE
    return _with_hint(
        Failure(message, node_id, node_class, exception_type=_text(complaint.get("type")) or None, refused=True)
    )


def _with_hint(failure: Failure) -> Failure:
    return replace(failure, hint=_known_cause(failure, ()))


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def _known_cause(failure: Failure, definitions: Sequence[InputDefinition]) -> str:
    if failure.refused:
        if _NOT_THERE.search(failure.message):
            return "The machine lacks a model or a file that the workflow names: install it there, or name another."
        return "The machine refused the workflow: correct this value, or the workflow, in ComfyUI."
    kind = (failure.exception_type or "").rsplit(".", 1)[-1]
    if kind == "OutOfMemoryError" or _MEMORY.search(failure.message):
        return (
            "The machine ran out of memory: ask for a smaller picture or fewer at once, or use a machine with more "
            "memory."
        )
    if "NoneType" in failure.message and kind in ("TypeError", "AttributeError", "RuntimeError", ""):
        return _unreadable_file(definitions)
    if kind == "InterruptProcessingException":
        return "Somebody interrupted it on the machine."
    if kind == "FileNotFoundError" or _NOT_THERE.search(failure.message):
        return "The machine lacks a model or a file that the workflow names: install it there, or name another."
    return ""


def _unreadable_file(definitions: Sequence[InputDefinition]) -> str:
    names = [definition.name for definition in definitions if definition.kind in _FILE_INPUTS]
    if definitions and not names:
        return ""
    which = f" Look at {' and '.join(repr(name) for name in names)}." if names else ""
    return (
        "Most likely the machine could not read an image that was given: its URL is wrong or not public, it is no "
        f"image, or none was given. The error then shows up in the next node.{which}"
    )


def _is_serverless(machine_type: str | None) -> bool:
    return machine_type is not None and ("serverless" in machine_type or machine_type.startswith("workspace"))
