"""What an argument stands for: an id or a name, out of text, an object of ours, or a row of one of our tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from comfynb.errors import InputError


def reference(thing: Any, kind: str) -> str:
    """Return the id or name that `thing` stands for.

    Parameters
    ----------
    thing : str, object or row
        Text is taken as it is. Of an object, of a dict, or of a row of a table, the id of its `kind` is taken: a row of
        the deployments stands, where a workflow is wanted, for its workflow.
    kind : str
        "workflow", "deployment", "machine" or "run".

    Raises
    ------
    InputError
        If it stands for nothing of that kind.

    Examples
    --------
    >>> reference("text2img", "workflow")
    'text2img'
    >>> reference({"id": "d1", "workflow_id": "w1"}, "workflow")
    'w1'
    """
    if isinstance(thing, str):
        text = thing.strip() or thing
        if text.strip():
            return text
    else:
        for field in (f"{kind}_id", "id", "name"):
            value = _get(thing, field)
            if isinstance(value, str) and value:
                return value
    shown = repr(thing) if isinstance(thing, str | int | float | None) else f"a {type(thing).__name__}"
    raise InputError(f"{shown} stands for no {kind}; give a name, an id, or a row of ws.{kind}s().")


def is_deployment(thing: Any) -> bool:
    """Whether an object or a row is a deployment."""
    return not isinstance(thing, str) and bool(
        _get(thing, "id") and _get(thing, "environment") and _get(thing, "workflow_id")
    )


def looks_like_id(text: str) -> bool:
    """Whether a text is an id, as the server makes them, rather than a name.

    Examples
    --------
    >>> looks_like_id("00000000-0000-4000-8000-000000000000"), looks_like_id("text2img")
    (True, False)
    """
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _get(thing: Any, field: str) -> Any:
    if isinstance(thing, Mapping):
        return thing.get(field)
    if hasattr(thing, "index") and hasattr(thing, "get"):  # a row of a DataFrame
        value = thing.get(field)
        return value if isinstance(value, str) else None
    value = getattr(thing, field, None)
    return value if isinstance(value, str) else None
