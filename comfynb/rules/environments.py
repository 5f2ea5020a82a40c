"""The environments in which a workflow can be deployed."""

from __future__ import annotations

from typing import Any, Final

from comfynb.errors import InputError
from comfynb.rules.lookup import nearest
from comfynb.rules.text import tidy

__all__ = ["ENVIRONMENTS", "check_environment"]

ENVIRONMENTS: Final = ("production", "staging", "preview", "public-share", "private-share", "community-share")
"""Those that the server knows. It takes any text, and then fails in its database."""


def check_environment(environment: Any) -> str:
    """Return the environment if a deployment can be made there.

    Raises
    ------
    InputError
        If the server knows no such environment; those that there are are listed, the nearest first.

    Examples
    --------
    >>> check_environment("staging")
    'staging'
    >>> check_environment("prod")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    comfynb.errors.InputError: There is no environment 'prod'; there are: production, staging, preview, ...
    """
    if environment in ENVIRONMENTS:
        return str(environment)
    near = nearest(environment, ENVIRONMENTS) if isinstance(environment, str) else ()
    listed = ", ".join(dict.fromkeys((*near, *ENVIRONMENTS)))
    raise InputError(f"There is no environment {tidy(repr(environment), 60)}; there are: {listed}.")
