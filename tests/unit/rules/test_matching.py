"""The run that an unanswered submit may have started."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.matching import match_submits, same_inputs

NOW = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
INPUTS = {"prompt": "a fox", "steps": 20}


def row(run_id: str, seconds: float = 1, **more: Any) -> dict[str, Any]:
    """Return a row of the run list, created so many seconds after NOW."""
    return {
        "id": run_id,
        "created_at": (NOW + timedelta(seconds=seconds)).isoformat(),
        "workflow_inputs": INPUTS,
        "workflow_version_id": "v1",
        "deployment_id": "d1",
        "machine_id": "m1",
        **more,
    }


def match(*rows: Any, **more: Any) -> tuple[str, ...]:
    """Look for a run of deployment d1 with INPUTS."""
    wanted: dict[str, Any] = {
        "version_id": "v1",
        "deployment_id": "d1",
        "inputs": INPUTS,
        "machine_id": None,
        "not_before": NOW,
        "known_ids": set(),
    }
    return match_submits(rows, **{**wanted, **more})


def test_what_fits_comes_newest_first() -> None:
    """All that can be the run, each once."""
    assert match(row("a", 1), row("b", 3), row("c", 2), row("a", 1)) == ("b", "c", "a")


@pytest.mark.parametrize(
    "other",
    [
        row("x", -1),
        row("x", workflow_version_id="v2"),
        row("x", deployment_id="d2"),
        row("x", deployment_id=None),
        row("x", workflow_inputs={"prompt": "a fox"}),
        row("x", workflow_inputs={**INPUTS, "steps": 21}),
        row("x", workflow_inputs={**INPUTS, "steps": "20"}),
        row("x", workflow_inputs=None),
        {"created_at": NOW.isoformat()},
        None,
    ],
)
def test_what_differs_is_not_ours(other: Any) -> None:
    """Another time, version, deployment or input, or no id at all."""
    assert match(other) == ()


def test_known_runs_are_left_out() -> None:
    """A run that was there before is not taken for the new one."""
    assert match(row("a"), row("b"), known_ids={"a"}) == ("b",)


def test_a_run_of_a_version_has_no_deployment() -> None:
    """Without a deployment, machine and version decide, and runs of deployments do not fit."""
    rows = [row("a"), row("b", deployment_id=None), row("c", deployment_id=None, machine_id="m2")]
    assert match(*rows, deployment_id=None, machine_id="m1") == ("b",)


def test_a_missing_field_does_not_rule_out() -> None:
    """A list that leaves fields out still gives candidates."""
    assert match({"id": "a"}) == ("a",)


def test_no_inputs_match_null_inputs() -> None:
    """The server may store nothing as null."""
    assert match(row("a", workflow_inputs=None), row("b", workflow_inputs={}, created_at=None), inputs={}) == ("a", "b")


@pytest.mark.parametrize(
    ("sent", "stored", "same"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (0, False, False),
        (True, True, True),
        ("1", 1, False),
        ([1, "a"], [1.0, "a"], True),
        ([1], [1, 2], False),
        ([{"r": 1}], [{"r": 1.0}], True),
        ("data:image/png;base64,AA==", "https://x/inputs/img.png", True),
        (["data:image/jpeg;base64,AA=="], ["http://x/inputs/img.jpg"], True),
        ("data:image/webp;base64,AA==", "https://x/inputs/img.webp", False),
        ("https://x/a.png", "https://x/b.png", False),
    ],
)
def test_inputs_are_compared_as_the_server_stores_them(sent: Any, stored: Any, same: bool) -> None:
    """Numbers may change their type, pictures become URLs, and nothing else may differ."""
    assert same_inputs(sent, stored) is same


JSON_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON_VALUES))
def test_inputs_equal_themselves_after_a_journey(inputs: dict[str, Any]) -> None:
    """What JSON does to inputs on the way does not matter."""
    assert same_inputs(inputs, json.loads(json.dumps(inputs)))
