"""Inputs as a caller gives them: some in a mapping, some as keywords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfynb.errors import InputError

__all__ = ["given_inputs"]


def given_inputs(inputs: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs out of both places.

    Parameters
    ----------
    inputs : mapping or None
        What was given as ``inputs=``.
    more : mapping
        What was given as keywords.

    Raises
    ------
    InputError
        If `inputs` is no mapping, or an input is given twice: nobody says then which value is meant.

    Examples
    --------
    >>> given_inputs({"Negative Prompt": "fog"}, {"prompt": "a pier"})
    {'Negative Prompt': 'fog', 'prompt': 'a pier'}
    """
    if inputs is not None and not isinstance(inputs, Mapping):
        raise InputError(f"inputs= takes a mapping from input name to value, not a {type(inputs).__name__}.")
    first = dict(inputs or {})
    twice = [name for name in more if name in first]
    if twice:
        raise InputError(
            f"Given twice, in inputs= and as a keyword: {', '.join(twice)}.",
            problems=dict.fromkeys(twice, "given twice, in inputs= and as a keyword"),
        )
    return {**first, **more}
