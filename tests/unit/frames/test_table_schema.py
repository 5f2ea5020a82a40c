"""What the declarations of the tables promise."""

from __future__ import annotations

import pandas as pd
import pytest

from comfynb.frames import (
    TABLES,
    Table,
    cache_frame,
    catalog_frame,
    catalog_runs_frame,
    deployments_frame,
    explore_frame,
    health_frame,
    inputs_frame,
    load_frame,
    machines_frame,
    metrics_counts_frame,
    metrics_frame,
    metrics_runs_frame,
    names_frame,
    outputs_frame,
    pending_frame,
    plan_frame_of,
    routes_frame,
    rule_problems_frame,
    runs_frame,
    standard_names_frame,
    timeline_frame,
    versions_frame,
    workflows_frame,
)
from comfynb.services.isolation import DeploymentList

EMPTY = {
    "workflows": lambda: workflows_frame([]),
    "deployments": lambda: deployments_frame(DeploymentList(())),
    "machines": lambda: machines_frame([]),
    "versions": lambda: versions_frame([]),
    "inputs": lambda: inputs_frame([]),
    "runs": lambda: runs_frame([]),
    "outputs": lambda: outputs_frame([]),
    "catalog": lambda: catalog_frame([], DeploymentList(())),
    "timeline": lambda: timeline_frame([]),
    "pending": lambda: pending_frame([]),
    "cache": lambda: cache_frame({}, {}, now=0.0),
    "explore": lambda: explore_frame([]),
    "names": lambda: names_frame([]),
    "standard_names": lambda: standard_names_frame([]),
    "catalog_runs": lambda: catalog_runs_frame(catalog_frame([], DeploymentList(())), {}),
    "routes": lambda: routes_frame([]),
    "rule_problems": lambda: rule_problems_frame([]),
    "routing_plan": lambda: plan_frame_of([]),
    "routing_load": lambda: load_frame([]),
    "metrics": lambda: metrics_frame([]),
    "metrics_runs": lambda: metrics_runs_frame([]),
    "metrics_counts": lambda: metrics_counts_frame([]),
    "health": lambda: health_frame([]),
}


NAMELESS = (
    *("timeline", "pending", "explore", "rule_problems", "routing_plan", "routing_load"),
    *("metrics", "metrics_counts", "health"),
)
"""Tables whose rows have no name."""


def test_every_table_has_a_function() -> None:
    """No declared table is without the function that makes it, and none is made that is not declared."""
    assert EMPTY.keys() == TABLES.keys()


@pytest.mark.parametrize("kind", TABLES)
def test_an_empty_table_has_the_declared_columns_and_types(kind: str) -> None:
    """A table without rows has the same columns, types and index as a full one."""
    made = EMPTY[kind]()
    assert [(name, str(dtype)) for name, dtype in made.dtypes.items()] == [(c.name, c.dtype) for c in TABLES[kind]]
    assert len(made) == 0
    assert isinstance(made.index, pd.RangeIndex)
    assert made.attrs == {"kind": kind, "source": "", "as_of": None}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_each_column_is_declared_once_and_explained(table: Table) -> None:
    """Names are unique, every meaning is said, and tables begin with the name, then the id."""
    names = table.names()
    assert len(set(names)) == len(names)
    assert all(column.meaning for column in table)
    assert table.kind in NAMELESS or names[0] == "name"
    assert "id" not in names or names[1] == "id"


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_both_descriptions_name_every_column(table: Table) -> None:
    """The table of the columns and its plain text say the same."""
    described = table.describe()
    assert list(described.columns) == ["name", "dtype", "unit", "meaning"]
    assert tuple(described["name"]) == table.names()
    lines = table.help_text().splitlines()
    assert lines[0] == f"{table.kind}: {table.meaning}"
    assert [line.split()[0] for line in lines[1:]] == list(table.names())
    assert all(row.meaning in line for row, line in zip(described.itertuples(), lines[1:], strict=True))


def test_units_stand_in_the_plain_text() -> None:
    """A number's unit is said."""
    assert "[seconds]" in TABLES["runs"].help_text()
