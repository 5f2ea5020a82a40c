"""The tables of routes, and of what is wrong with the rules."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from comfynb.frames.build import frame
from comfynb.frames.schema import TABLES
from comfynb.rules.routing import Route, RuleProblem

__all__ = ["routes_frame", "rule_problems_frame"]


def routes_frame(routes: Iterable[Route]) -> pd.DataFrame:
    """Return one row per route, in the given order.

    Parameters
    ----------
    routes : iterable of Route
        The rows.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["routes"]` declares them.

    Examples
    --------
    >>> routes_frame([]).columns[:2].tolist()
    ['name', 'id']
    """
    rows = list(routes)
    homes = [row.home for row in rows]
    return frame(
        TABLES["routes"],
        {
            "name": [row.name for row in rows],
            "id": [row.subject.id for row in rows],
            "standard_name": [row.subject.standard for row in rows],
            "rule": [row.rule.pattern if row.rule is not None else None for row in rows],
            "environment": [home.environment if home is not None else None for home in homes],
            "machine": [row.machine_name for row in rows],
            "machine_id": [row.machine_id for row in rows],
            "gpu": [row.gpu for row in rows],
            "by": [None if not row.ok else "deployment" if row.through else "version" for row in rows],
            "decided": [row.decided for row in rows],
            "ok": [row.ok for row in rows],
            "passed_over": [row.passed_over for row in rows],
            "sentence": [row.sentence for row in rows],
            "deployment_id": [row.deployment.id if row.deployment is not None else None for row in rows],
            "version_id": [row.version_id for row in rows],
        },
    )


def rule_problems_frame(problems: Iterable[RuleProblem]) -> pd.DataFrame:
    """Return one row per problem, in the given order.

    Parameters
    ----------
    problems : iterable of RuleProblem
        The rows.

    Returns
    -------
    pandas.DataFrame
        Columns as `TABLES["rule_problems"]` declares them.

    Examples
    --------
    >>> rule_problems_frame([RuleProblem("rules.toml, line 3: No machine is called 'a'.", True)])["serious"].tolist()
    [True]
    """
    rows = list(problems)
    return frame(
        TABLES["rule_problems"],
        {"problem": [row.text for row in rows], "serious": [row.serious for row in rows]},
    )
