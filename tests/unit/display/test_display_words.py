"""Values, times and calls as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from comfynb.display.words import call, input_arguments, moment, money, quoted, seconds, shown, with_id
from comfynb.rules.inputs import InputDefinition


def test_times_are_in_utc() -> None:
    """A time without a zone is one in UTC, as the server means it."""
    assert moment(datetime(2026, 1, 2, 3, 4, 5)) == "2026-01-02 03:04:05 UTC"
    assert moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-02 01:04:05 UTC"
    assert moment(None) is None


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.99, "1 min 0 s"),
        (3599.7, "1 h 0 min"),
        (86400, "24 h 0 min"),
        (-1, None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_durations_are_read_at_a_glance(duration: float | None, words: str | None) -> None:
    """What is no duration is not known."""
    assert seconds(duration) == words


def test_prices_are_written_out() -> None:
    """An unknown price is called so, and a free one is no unknown one."""
    assert (money(0.00031), money(0), money(None)) == ("$0.00031/s", "$0.0/s", "unknown")


def test_values_are_told_apart_by_their_type() -> None:
    """A number is not the text of it; a long text is not written in full."""
    assert (shown(7), shown("7"), shown(True), shown([1])) == ("7", "'7'", "True", "[1]")
    assert shown("x" * 10**6).endswith("and 998000 more characters")


def test_a_name_that_cannot_be_typed_is_replaced_by_the_id() -> None:
    """Quotes in a name are escaped, so that the call can be copied."""
    assert quoted('say "hi"') == '"say \\"hi\\""'
    assert quoted("two  spaces", "w-1") == '"w-1"'
    assert quoted("x" * 100, "w-1") == '"w-1"'
    assert quoted(None, "w-1") == '"w-1"'


def test_a_name_stands_with_its_id() -> None:
    """Whichever of them there is."""
    assert with_id("gpu", "m-1") == "gpu (m-1)"
    assert with_id("m-1", "m-1") == "m-1"
    assert with_id(None, None) is None


def needed(name: str, kind: str = "text", **more: object) -> InputDefinition:
    return InputDefinition(name, name, "ComfyUIDeployExternalText", kind, node_id="1", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("definitions", "arguments"),
    [
        ([], ""),
        ([needed("prompt")], 'prompt="…"'),
        ([needed("Negative Prompt"), needed("prompt")], 'prompt="…", inputs={"Negative Prompt": "…"}'),
        ([needed("machine")], 'inputs={"machine": "…"}'),
        ([needed("class")], 'inputs={"class": "…"}'),
        ([needed("image", "image")], 'image="https://…"'),
        ([needed("steps", "integer", minimum=4)], "steps=4"),
        ([needed("method", "enum", options=("a", "b"))], 'method="a"'),
        ([needed("bad\x1bname")], ""),
        (
            [needed("steps", "integer", default=1, has_default=True), needed("p", default="x", has_default=True)],
            'p="…"',
        ),
    ],
)
def test_a_call_shows_how_inputs_are_given(definitions: list[InputDefinition], arguments: str) -> None:
    """Required inputs by keyword, and those whose names cannot be keywords in inputs=."""
    assert input_arguments(definitions) == arguments


def test_the_primary_input_stands_for_those_that_may_be_left_out() -> None:
    """When nothing is required."""
    first, second = (needed(name, default="x", has_default=True) for name in ("style", "prompt"))
    assert input_arguments([first, second], "prompt") == 'prompt="…"'


def test_a_call_leaves_out_what_is_empty() -> None:
    """So that parts can be put together without care."""
    assert call("run", '"a"', "", "x=1") == 'ws.run("a", x=1)'
    assert call("machines", "") == "ws.machines()"
