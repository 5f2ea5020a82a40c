"""The table of submits whose runs are not known to have ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES

__all__ = ["Submit", "pending_frame"]


class Submit(Protocol):
    """A submit as it was written down."""

    @property
    def at(self) -> datetime:
        """When, with a time zone."""

    @property
    def state(self) -> str:
        """What is known of it."""

    @property
    def workflow(self) -> str | None:
        """The workflow's name."""

    @property
    def workflow_id(self) -> str | None:
        """The workflow's id."""

    @property
    def machine_id(self) -> str | None:
        """Where it was sent."""

    @property
    def run_id(self) -> str | None:
        """Its run, if that is known."""

    @property
    def inputs(self) -> dict[str, Any]:
        """What was sent."""

    @property
    def why(self) -> str | None:
        """What went wrong."""


def pending_frame(submits: Iterable[Submit]) -> pd.DataFrame:
    """Return one row per submit, in the given order.

    Parameters
    ----------
    submits : iterable of Submit
        Objects with the attributes of `Submit`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["pending"]` declares them.

    Examples
    --------
    >>> len(pending_frame([]))
    0
    """
    rows = list(submits)
    return frame(
        TABLES["pending"],
        {
            "at": [row.at for row in rows],
            "state": [row.state for row in rows],
            "workflow": [row.workflow for row in rows],
            "run_id": [row.run_id for row in rows],
            "inputs": [row.inputs for row in rows],
            "why": [row.why for row in rows],
            "workflow_id": [row.workflow_id for row in rows],
            "machine_id": [row.machine_id for row in rows],
        },
    )
