"""How a form looks where there are no widgets: its inputs, and what would be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from comfynb.display.card import Card, Notes, Section, Table
from comfynb.display.words import money, shown
from comfynb.rules.inputs import InputDefinition

__all__ = ["form_card"]


def form_card(
    name: str,
    definitions: Sequence[InputDefinition],
    given: Mapping[str, Any],
    problems: Mapping[str, str],
    *,
    route: str,
    price: float | None,
    reason: str | None,
    run: str | None,
) -> Card:
    """Return what a form says.

    Parameters
    ----------
    name : str
        The workflow.
    definitions : sequence of InputDefinition
        Its inputs, in their order.
    given : mapping
        What is given.
    problems : mapping
        What is wrong with it, by input.
    route : str
        Where it would run.
    price : float or None
        US dollars a second.
    reason : str or None
        Why it cannot be run; None if it can.
    run : str or None
        The id of its last run.
    """
    rows: list[tuple[str | None, ...]] = []
    for each in definitions:
        value = given.get(each.name)
        default = shown(each.default) if each.has_default else None
        told = shown(value) if value is not None else default
        rows.append(
            (each.group_name, each.label or each.name, each.name, each.type_word, told, problems.get(each.name, ""))
        )
    columns = ("group", "label", "name", "takes", "value", "problem")
    used = [place for place in range(len(columns)) if place in (1, 2, 3, 4) or any(row[place] for row in rows)]
    table = Table(
        "inputs",
        tuple(columns[place] for place in used),
        tuple(tuple(row[place] for place in used) for row in rows),
        "it takes none",
    )
    sections: list[Section] = [table]
    if reason:
        sections.append(Notes((reason,), "bad"))
    return Card(
        status="cannot be run" if reason else "ready to run",
        tone="bad" if reason else "good",
        title=f"form of {name}",
        facts=(("runs on", route), ("price", money(price)), ("last run", run)),
        sections=tuple(sections),
        following=("form.submit()", "form.values", "print(form.to_code())"),
    )
