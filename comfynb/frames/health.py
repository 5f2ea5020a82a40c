"""The table of checks, which shows itself as a card: what to do is a sentence, and tables cut sentences off."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.rules.health import Finding

__all__ = ["HealthTable", "health_frame"]


class HealthTable(pd.DataFrame):
    """The table of checks. What is made of it by pandas is a plain DataFrame.

    Examples
    --------
    >>> table = health_frame([Finding("server", "ok", "answers")])
    >>> print(repr(table).splitlines()[0])
    ok – health
    >>> type(table[table["state"] == "bad"]).__name__
    'DataFrame'
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The rows, as they are judged and displayed."""
        rows = zip(*(self[name].fillna("") for name in ("check", "state", "seen", "advice")), strict=True)
        return tuple(Finding(*map(str, row)) for row in rows)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        from comfynb.display.health import health_text

        return health_text(self.findings, str(self.attrs.get("source") or ""))

    def _repr_html_(self) -> str:
        from comfynb.display.health import health_html

        return health_html(self.findings, str(self.attrs.get("source") or ""))


def health_frame(findings: Iterable[Finding], *, source: str = "", as_of: datetime | None = None) -> HealthTable:
    """Return one row per finding, in the given order.

    Parameters
    ----------
    findings : iterable of Finding
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    HealthTable
        A DataFrame with columns as `TABLES["health"]` declares them.

    Examples
    --------
    >>> len(health_frame([]))
    0
    """
    rows = list(findings)
    built = frame(
        TABLES["health"],
        {
            "check": [row.check for row in rows],
            "state": [row.state for row in rows],
            "seen": [row.seen for row in rows],
            "advice": [row.advice for row in rows],
        },
        source=source,
        as_of=as_of,
    )
    table = HealthTable(built)
    table.attrs = built.attrs
    return table
