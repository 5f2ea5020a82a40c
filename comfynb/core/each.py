"""Reading something of each of many workflows, some at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from comfynb.api.models import Workflow
from comfynb.errors import ApiError, AuthenticationError, RateLimitError
from comfynb.notices import notice
from comfynb.rules.text import tidy
from comfynb.services.cache import together
from comfynb.warnings import PartialResultWarning

T = TypeVar("T")

AT_ONCE = 8
"""Reads that are under way at the same time."""


async def of_each(
    workflows: Sequence[Workflow], read: Callable[[Workflow], Coroutine[Any, Any, T]], *, what: str
) -> AsyncIterator[list[T]]:
    """Read something of each workflow; yield the answers as they come, some at a time, in the order of the workflows.

    What cannot be read is left out, and told of at the end in one warning.

    Parameters
    ----------
    workflows : sequence of Workflow
        Of which.
    read : coroutine function
        Reads it of one workflow.
    what : str
        What that is, for the warning: "runs".

    Raises
    ------
    AuthenticationError, RateLimitError
        Since the others would fare no better.
    """
    lost: list[str] = []

    async def one(workflow: Workflow) -> list[T]:
        try:
            return [await read(workflow)]
        except (AuthenticationError, RateLimitError):
            raise
        except ApiError:
            lost.append(workflow.name or workflow.id)
            return []

    for start in range(0, len(workflows), AT_ONCE):
        parts = await together(*(one(workflow) for workflow in workflows[start : start + AT_ONCE]))
        yield [answer for part in parts for answer in part]
    if lost:
        notice(PartialResultWarning(f"The {what} of {_few(lost)} could not be read."))


def _few(names: list[str]) -> str:
    shown = ", ".join(repr(tidy(name, 60)) for name in sorted(names)[:5])
    return f"{shown} and {len(names) - 5} more workflows" if len(names) > 5 else f"the workflows {shown}"
