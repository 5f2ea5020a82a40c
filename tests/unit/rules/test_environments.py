"""Environments in which a deployment can be made."""

from __future__ import annotations

from typing import Any

import pytest

from comfynb.errors import InputError
from comfynb.rules.environments import ENVIRONMENTS, check_environment


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_the_server_knows_is_taken(environment: str) -> None:
    """As it is."""
    assert check_environment(environment) == environment


@pytest.mark.parametrize(
    ("given", "nearest"),
    [("prod", "production"), ("Production", "production"), ("stage", "staging"), ("public", "public-share")],
)
def test_what_it_does_not_know_is_refused_with_the_nearest_first(given: str, nearest: str) -> None:
    """All that there are are listed, each once."""
    with pytest.raises(InputError) as caught:
        check_environment(given)
    said, _, listed = str(caught.value).partition("; there are: ")
    assert said == f"There is no environment {given!r}"
    assert listed.startswith(nearest)
    assert sorted(listed.rstrip(".").split(", ")) == sorted(ENVIRONMENTS)


@pytest.mark.parametrize("given", [None, 7, ["staging"], "x" * 10_000, "a\nb\x1b[31m"])
def test_nonsense_is_refused_in_one_short_line(given: Any) -> None:
    """Whatever its type."""
    with pytest.raises(InputError, match="There is no environment") as caught:
        check_environment(given)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
