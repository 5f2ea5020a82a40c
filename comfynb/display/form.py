"""How the form of a workflow looks: the words of its fields, and its plain twins."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from comfynb.display.card import Card, Notes, Section, Table, Tone
from comfynb.display.html import bare_url, card_html, escape
from comfynb.display.text import card_text
from comfynb.display.words import count, money, quoted, shown
from comfynb.rules.input_classes import FILE_KINDS, Kind
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.sizes import size_words
from comfynb.rules.text import tidy

if TYPE_CHECKING:
    from comfynb.services.prepared import Prepared

__all__ = ["FORM_STYLE", "FormFacts", "field_head_html", "form_html", "form_text", "head_html", "value_words"]

FORM_STYLE: Final = """<style>
.comfynb-form .cnb-label{font-weight:600;line-height:1.4;white-space:normal;overflow-wrap:anywhere;
color:var(--jp-ui-font-color1,inherit)}
.comfynb-form :is(.cnb-help,.cnb-note){line-height:1.4;white-space:normal;overflow-wrap:anywhere;
color:var(--jp-ui-font-color2,inherit)}
.comfynb-form .cnb-wrong{line-height:1.4;white-space:normal;overflow-wrap:anywhere;
color:var(--jp-error-color1,#e04848)}
.comfynb-form .cnb-warned{line-height:1.4;white-space:normal;overflow-wrap:anywhere;
color:var(--jp-warn-color1,#d07000)}
.comfynb-form :is(img,video){max-height:160px;max-width:320px;border-radius:3px}
.comfynb-form pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:4px 0;padding:8px;line-height:1.4;
border:1px solid var(--jp-border-color2,rgba(128,128,128,.35));background:none;
color:var(--jp-ui-font-color1,inherit);user-select:text}
</style>"""

URL_KINDS: Final[frozenset[str]] = FILE_KINDS | {"images", "lora", "checkpoint", "face_model"}
"""Kinds whose value can be an address, which can have a secret in it."""

_WIDEST_LABEL: Final = 1000
_WIDEST_HELP: Final = 4000
_WIDEST_CODE: Final = 20_000
_WIDEST_VALUE: Final = 120
_MOST_REASONS: Final = 3


@dataclass(frozen=True)
class FormFacts:
    """What a form shows.

    Parameters
    ----------
    prepared : Prepared
        Where a run of it would go.
    given : mapping
        The values that differ from the defaults, by input name.
    problems : mapping of str to str
        What keeps them from being sent, by input name.
    said : str
        What came of the last press of a button.
    tone : Tone
        How that is meant.
    runs : sequence of (id, status)
        Its runs, the newest last.
    """

    prepared: Prepared
    given: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    tone: Tone = "plain"
    runs: Sequence[tuple[str, str]] = ()

    @property
    def reason(self) -> str:
        """Why a run cannot be started; empty if it can."""
        labels = {definition.name: definition.label for definition in self.prepared.definitions}
        found = [f"{tidy(labels.get(name, name), 60)} {problem}" for name, problem in self.problems.items()]
        if len(found) > _MOST_REASONS:
            found[_MOST_REASONS:] = [f"{len(found) - _MOST_REASONS} more"]
        parts = [f"{'; '.join(found)}."] if found else []
        return " ".join([*parts, *self.prepared.blockers])


def form_text(facts: FormFacts) -> str:
    """Return a form as plain text."""
    return card_text(_card(facts))


def form_html(facts: FormFacts) -> str:
    """Return a form as HTML, for where there are no widgets."""
    return card_html(_card(facts))


def head_html(prepared: Prepared) -> str:
    """Return what stands above the fields: what would run, where, by which route, and at what price."""
    return card_html(
        Card(
            status="",
            title=f"run {prepared.name}",
            facts=_where(prepared),
            sections=(*_route(prepared), _notes(prepared)),
        )
    )


def field_head_html(definition: InputDefinition) -> str:
    """Return the label and the help of a field, in full."""
    label = escape(definition.label, _WIDEST_LABEL)
    told = [line for line in (definition.description, definition.problem or "") if line]
    asked = ' <span class="cnb-note">(required)</span>' if definition.required else ""
    lines = "".join(f'<div class="cnb-help">{escape(line, _WIDEST_HELP)}</div>' for line in told)
    return f'<div class="cnb-label" dir="auto">{label}{asked}</div>{lines}'


def wrong_html(text: str | None) -> str:
    """Return what is wrong, as it stands below a field; empty if nothing is."""
    return f'<div class="cnb-wrong">{escape(text, 1200)}</div>' if text else ""


def said_html(text: str, tone: Tone) -> str:
    """Return what came of the press of a button, or why one cannot be pressed."""
    kind = {"bad": "cnb-wrong", "warn": "cnb-warned"}.get(tone, "cnb-note")
    return "".join(f'<div class="{kind}">{escape(line, 1200)}</div>' for line in text.splitlines() if line)


def code_html(code: str) -> str:
    """Return code that can be copied; `repr` has made its texts harmless in a terminal, this does in HTML."""
    cut = code if len(code) <= _WIDEST_CODE else f"{code[:_WIDEST_CODE]}\n… print(form.to_code()) has all of it"
    return f"<pre>{html.escape(cut.encode('utf-8', 'replace').decode())}</pre>"


def value_words(kind: Kind, value: Any) -> str:
    """Return a value for a person, without what can be a secret in an address.

    Examples
    --------
    >>> value_words("lora", "https://host/a.safetensors?token=secret"), value_words("seed", 7)
    ("'https://host/a.safetensors'", '7')
    """
    if isinstance(value, list | tuple) and kind == "images":
        return ", ".join(value_words(kind, each) for each in value)
    if isinstance(value, str) and kind in URL_KINDS:
        if value[:5].lower() == "data:":
            return f"a picture of {size_words(len(value) * 3 // 4)} in the text itself"
        return shown(tidy(bare_url(value) or value, _WIDEST_VALUE))
    if isinstance(value, bytes | bytearray):
        return f"{tidy(getattr(value, 'name', '') or 'a file', 60)} ({size_words(len(value))})"
    if isinstance(value, PurePath):
        return str(value)
    if value is not None and not isinstance(value, str | int | float | list | tuple | dict):
        return f"a {type(value).__name__}"
    return shown(value)


def _where(prepared: Prepared) -> tuple[tuple[str, str | None], ...]:
    version = prepared.version.version
    return (
        ("version", None if version is None else str(version)),
        ("runs on", prepared.route),
        ("GPU", prepared.gpu or "not known"),
        ("price", money(prepared.price)),
    )


def _route(prepared: Prepared) -> tuple[Section, ...]:
    routed = prepared.routed
    if routed is None or not routed.ok:
        return ()
    return (Notes((routed.sentence,), "warn" if routed.announced else "plain"),)


def _notes(prepared: Prepared) -> Notes:
    """Return what one should know, without what the inputs of the moment have to do with it."""
    return Notes(tuple(note for note in prepared.notes if note not in prepared.inputs.notes))


def _card(facts: FormFacts) -> Card:
    prepared = facts.prepared
    rows = tuple(_row(facts, definition) for definition in prepared.definitions)
    columns: tuple[str, ...] = ("input", "name", "group", "takes", "value", "from", "problem")
    kept = [
        place
        for place, column in enumerate(columns)
        if column not in ("name", "group", "problem") or any(row[place] for row in rows)
    ]
    sections: list[Section] = [
        *_route(prepared),
        Table(
            "inputs",
            tuple(columns[place] for place in kept),
            tuple(tuple(row[place] for place in kept) for row in rows),
            "it takes none",
        ),
        Notes((facts.reason,), "bad"),
        Notes(tuple(facts.said.splitlines()), facts.tone),
        Table("runs of this form", ("run", "status"), tuple(facts.runs[-10:])),
        _notes(prepared),
    ]
    changes = [f"form.values[{quoted(definition.name)}] = …" for definition in prepared.definitions[:1]]
    return Card(
        status="cannot run yet" if facts.reason else "ready to run",
        tone="warn" if facts.reason else "good",
        title=f"form of {prepared.name}, {count(len(rows), 'input')}",
        facts=_where(prepared),
        sections=tuple(sections),
        following=(*changes, "print(form.to_code())"),
    )


def _row(facts: FormFacts, definition: InputDefinition) -> tuple[str, ...]:
    if definition.name in facts.given:
        value, origin = value_words(definition.kind, facts.given[definition.name]), "given"
    elif definition.kind == "seed" and not definition.has_fixed_seed:
        value, origin = "random each run", "drawn"
    elif definition.has_default:
        value, origin = value_words(definition.kind, definition.default), "default"
    else:
        value, origin = "", "not given"
    return (
        definition.label,
        definition.name if definition.name != definition.label else "",
        definition.group_name or definition.group or "",
        definition.type_word,
        value,
        origin,
        facts.problems.get(definition.name, ""),
    )
