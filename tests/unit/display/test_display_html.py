"""HTML: escaping, addresses, tables, pictures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from comfynb.display.card import Card, Link, Media, Medium, Notes
from comfynb.display.html import bare_url, card_html, escape, link, safe_url, table


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " java\nscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "//host/a.png",
        "/a.png",
        "https://",
        "https://user:secret@host/a.png",
        "http://[bad/a.png",
        "https://host/" + "x" * 5000,
    ],
)
def test_an_address_that_is_not_plain_http_leads_nowhere(url: object) -> None:
    """No link and no picture is made of it."""
    assert safe_url(url) is None
    assert link("a.png", url) == "a.png"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://host/a.png?x=1&y=2", "https://host/a.png?x=1&y=2"),
        ("http://127.0.0.1:3011/a b.png", "http://127.0.0.1:3011/a%20b.png"),
        ('https://host/"><script>', "https://host/%22%3E%3Cscript%3E"),
        ("https://host/狐.png", "https://host/%E7%8B%90.png"),
        ("https://host/a%20b\ud800", "https://host/a%20b?"),
    ],
)
def test_an_address_is_percent_encoded_where_it_must_be(url: str, address: str) -> None:
    """What is encoded already stays as it is."""
    assert safe_url(url) == address


def test_an_address_is_shown_without_what_can_be_secret() -> None:
    """What is no http address is not shown at all."""
    assert bare_url("https://a:b@host/x?token=1#y") == "https://host/x"
    assert bare_url("ftp://host") is None
    assert bare_url(None) is None
    assert bare_url("http://[bad") is None


def test_a_text_is_escaped_for_attributes_too() -> None:
    """Both kinds of quotes are escaped."""
    assert escape("\"'<&>") == "&quot;&#x27;&lt;&amp;&gt;"


def test_cells_are_escaped_and_unknown_ones_are_a_dash(page: Callable) -> None:
    """None is not the same as an empty text."""
    found = page(table(("<b>",), (("<i>",), (None,), ("",), (Link("a", "https://host/"),)), "title"))
    assert found.text == "title <b> <i> – a"
    assert found.values("href") == ["https://host/"]


def test_pictures_are_loaded_late_and_without_telling_from_where(page: Callable) -> None:
    """Only pictures with an address that may be followed are there."""
    addresses = ("javascript:x", *(f"https://host/{n}.png" for n in range(3)))
    items = tuple(Medium("image", url[-5:], url) for url in addresses)
    found = page(card_html(Card("", "pictures", sections=(Media(items),))))
    assert found.values("src") == [f"https://host/{n}.png" for n in range(3)]
    assert set(found.values("loading")) == {"lazy"}
    assert set(found.values("referrerpolicy")) == {"no-referrer"}


def test_a_card_follows_the_theme_of_the_notebook() -> None:
    """Its colours are JupyterLab's variables, each with a fallback."""
    html = card_html(Card("ready", "Machine", "good", sections=(Notes(("careful",), "warn"),)))
    assert "var(--jp-ui-font-color1,inherit)" in html
    assert 'class="cnb-status cnb-good">ready</span>' in html
    assert '<p class="cnb-warn">careful</p>' in html
