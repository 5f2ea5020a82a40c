"""Every display: harmless whatever stands in it, and the same in both twins."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from comfynb.api.models import Machine as MachineModel
from comfynb.display.workspace import WorkspaceFacts, workspace_html, workspace_text
from comfynb.objects import Machine

TABLES = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
MEDIA = {"img", "video", "audio", "pre", "details", "summary"}
TAGS = TABLES | MEDIA | {"a", "br", "code", "div", "p", "span", "style"}
ATTRIBUTES = {
    "alt",
    "class",
    "href",
    "loading",
    "referrerpolicy",
    "rel",
    "src",
    "target",
    "title",
    "controls",
    "preload",
}

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": "\" onerror='alert(1)' x=\"",
    "javascript": "javascript:alert(1)",
    "javascript in disguise": " \tjava\nscript:alert(1)",
    "data": "data:text/html,<script>alert(1)</script>",
    "colours": "a\x1b[31mred\x1b[0m \x1b]8;;http://evil\x07link\x1b]8;;\x07 \x9b2J",
    "lone escape": "\x1b",
    "directions": "abc\u202egnp.exe \u2066x\u2069",
    "control": "a\x00b\x08c\r\nd\u2028e",
    "half a surrogate": "a\ud800b",
    "close": "</td></table></div></style><img src=x onerror=alert(1)>",
    "entity": "&lt;script&gt; &#x1b;",
    "long": "x" * 1_000_000,
    "long and hostile": "<script>\x1b[31m\u202e" * 50_000,
    "accents": "e" + "\u0301" * 100_000,
    "wide": "狐" * 5_000,
    "url with a secret": "https://user:planted-secret@host/hook?token=planted-secret",
    "blank": " ",
    "empty": "",
}


@pytest.fixture(params=HOSTILE, ids=str)
def shown(request: pytest.FixtureRequest, everything: Callable) -> dict[str, tuple[str, str]]:
    return everything(HOSTILE[request.param])


def test_no_html_of_others_gets_into_a_page(shown, page: Callable) -> None:
    """Only our own tags are there, closed as they were opened, with links that lead to http or https."""
    for kind, (_, html) in shown.items():
        found = page(html)
        assert set(found.tags) <= TAGS, kind
        assert found.open == [], kind
        assert {name for name, _ in found.attributes} <= ATTRIBUTES, kind
        for url in found.values("href") + found.values("src"):
            assert url.startswith(("http://", "https://")), kind
        assert "<script" not in html.lower(), kind


def test_nothing_moves_the_cursor_or_turns_the_direction_of_writing(shown) -> None:
    """Neither twin has control characters, escape sequences, direction marks or halves of surrogates."""
    for kind, twins in shown.items():
        for text in twins:
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text), kind
            text.encode()


def test_displays_stay_short(shown) -> None:
    """However long a text is, a display is of some kilobytes, and says its status in its first line."""
    for kind, (text, html) in shown.items():
        assert len(text) < 30_000, kind
        assert len(html) < 60_000, kind
        assert len(text.splitlines()[0]) < 1000, kind


def test_a_secret_in_an_address_is_not_shown_where_addresses_are(prepared: Callable) -> None:
    """Of a webhook, an endpoint and a server, user names, passwords and queries are left out."""
    url = "https://user:planted-secret@host/hook?token=planted-secret#planted-secret"
    machine = Machine.build(MachineModel(id="m", endpoint=url, auth_token="planted-secret"), [], [])
    facts = WorkspaceFacts(url, webhook=url)
    run = prepared("text2img", webhook=url)
    for text in (
        repr(machine),
        machine._repr_html_(),
        workspace_text(facts),
        workspace_html(facts),
        repr(run),
        run._repr_html_(),
    ):
        assert "planted-secret" not in text
    assert "https://host/hook" in repr(run)


@pytest.mark.parametrize("text", ["text2img", "Größe ändern 狐", 'it\'s "quoted" & <b>bold</b>', "https://host/a.png"])
def test_both_twins_say_the_same(text: str, page: Callable, everything: Callable) -> None:
    """Every word of the plain text is in the HTML, and every word of the HTML is in the plain text."""
    for kind, (plain, html) in everything(text).items():
        words, others = (set(re.findall(r"\w+", each)) for each in (plain, page(html).text))
        assert words == others, kind


def test_the_status_comes_first_in_both_twins(page: Callable, everything: Callable) -> None:
    """What one looks for first stands first."""
    for kind, (plain, html) in everything("text2img").items():
        head = plain.splitlines()[0].split(" – ")[0]
        assert head, kind
        assert page(html).text.startswith(head), kind
