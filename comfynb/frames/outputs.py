"""The table of what a run made."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.services.results import ResultFile

__all__ = ["outputs_frame"]


def outputs_frame(files: Iterable[ResultFile], *, source: str = "", as_of: datetime | None = None) -> pd.DataFrame:
    """Return one row per file or text, in the given order.

    Parameters
    ----------
    files : iterable of ResultFile
        The rows.
    source, as_of
        For the table's `attrs`; see `comfynb.frames.build.frame`.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["outputs"]` declares them.

    Examples
    --------
    >>> picture = ResultFile("image", "a.png", "http://host/a.png", None, "9", "SaveImage", None, "r1")
    >>> outputs_frame([picture]).loc[0, ["name", "node_class"]].tolist()
    ['a.png', 'SaveImage']
    """
    rows = list(files)
    return frame(
        TABLES["outputs"],
        {
            "name": [row.filename for row in rows],
            "kind": [row.kind for row in rows],
            "url": [row.url for row in rows],
            "text": [row.text for row in rows],
            "node_id": [row.node_id for row in rows],
            "node_class": [row.node_class for row in rows],
            "output_id": [row.output_id for row in rows],
            "run_id": [row.run_id for row in rows],
            "subfolder": [row.subfolder or None for row in rows],
        },
        source=source,
        as_of=as_of,
    )
