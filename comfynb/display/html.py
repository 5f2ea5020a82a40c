"""HTML: escaping, small tables, and cards that look right in light and dark notebooks."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, urlsplit

from comfynb.display.card import Card, Dot, Link, Media, Medium, Notes, Parts, Section
from comfynb.display.text import UNKNOWN
from comfynb.rules.text import LONGEST, tidy

__all__ = ["bare_url", "card_html", "escape", "link", "safe_url", "table"]

_WIDEST_CELL: Final = 300
_WIDEST_FACT: Final = 300
_WIDEST_NOTE: Final = 1200
_LONGEST_URL: Final = 4000
_LONGEST_TEXT: Final = 4000
_SHORT: Final = 26
_LONG_WORD: Final = 44
_SIGNED_PATH: Final = re.compile(r"/[0-9]{1,12}\.[\w-]{43}(?![\w-])")
"""The part of a path that proves that an address is one of the receiver of webhooks."""

# JupyterLab's variables make it follow the theme; the fallbacks can be read on light and dark pages. The doubled class
# outranks the notebook's own rules for what stands in an output (text to the right, columns of one width, stripes); for
# code it takes a third.
_STYLE: Final = """<style>
.comfynb.comfynb{color:var(--jp-ui-font-color1,inherit);font-size:13px;line-height:1.5;text-align:left;
max-width:980px;border:1px solid var(--jp-border-color2,rgba(128,128,128,.35));border-radius:4px;padding:10px 14px;
margin:2px 0;overflow-x:auto}
.comfynb.comfynb table{border-collapse:collapse;table-layout:auto;margin:4px 0;font-size:inherit;color:inherit}
.comfynb.comfynb tr:nth-child(n){background:none}
.comfynb.comfynb :is(td,th){border:none;text-align:left;vertical-align:top;padding:1px 18px 1px 0;max-width:520px;
white-space:normal}
.comfynb.comfynb td.cnb-short{white-space:nowrap}
.comfynb.comfynb td:not(.cnb-short,.cnb-part){min-width:140px}
.widget-html-content:has(>.comfynb){min-width:0}
.comfynb.comfynb td.cnb-long{overflow-wrap:anywhere}
.comfynb.comfynb :is(th,caption){color:var(--jp-ui-font-color2,inherit);font-weight:400;text-align:left;
white-space:nowrap}
.comfynb.comfynb caption{font-weight:600;padding:6px 0 0;caption-side:top}
.comfynb.comfynb thead th{border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.35))}
.comfynb.comfynb p{margin:4px 0;text-align:left;overflow-wrap:anywhere}
.comfynb.comfynb .cnb-next{margin-top:8px}
.comfynb.comfynb .cnb-title{font-weight:600;font-size:14px;overflow-wrap:anywhere}
.comfynb.comfynb .cnb-status{border:1px solid;border-radius:9px;padding:0 8px;margin-right:8px}
.comfynb.comfynb .cnb-good{color:var(--jp-success-color1,#3a9a40)}
.comfynb.comfynb .cnb-busy{color:var(--jp-info-color1,#3b8ede)}
.comfynb.comfynb .cnb-warn{color:var(--jp-warn-color1,#d07000)}
.comfynb.comfynb .cnb-bad{color:var(--jp-error-color1,#e04848)}
.comfynb.comfynb .cnb-parts{max-width:560px}
.comfynb.comfynb td.cnb-part{border-top:4px solid var(--jp-border-color1,rgba(128,128,128,.5));white-space:nowrap;
padding:2px 12px 2px 0}
.comfynb.comfynb td.cnb-part:last-child{border-top-color:var(--jp-brand-color1,#3b8ede)}
.comfynb.comfynb .cnb-media{display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start;margin:6px 0}
.comfynb.comfynb .cnb-item{max-width:100%;min-width:0;margin:0}
.comfynb.comfynb .cnb-item :is(img,video){display:block;max-height:128px;max-width:256px;width:auto;height:auto;
border-radius:3px;margin:0}
.comfynb.comfynb .cnb-large .cnb-item{width:240px;border:1px solid var(--jp-border-color2,rgba(128,128,128,.35));
border-radius:4px;padding:6px;box-sizing:border-box}
.comfynb.comfynb .cnb-large .cnb-item :is(img,video){max-height:220px;max-width:100%;margin:0 auto}
.comfynb.comfynb .cnb-large audio{width:100%}
.comfynb.comfynb .cnb-item summary{list-style:none;cursor:zoom-in;display:block}
.comfynb.comfynb .cnb-item summary::-webkit-details-marker{display:none}
.comfynb.comfynb details[open]>summary{cursor:zoom-out}
.comfynb.comfynb .cnb-item:has(details[open]){width:100%;flex-basis:100%}
.comfynb.comfynb .cnb-item details[open] img,.comfynb.comfynb .cnb-large .cnb-item details[open] img{max-height:none;
max-width:100%}
.comfynb.comfynb .cnb-item pre{max-height:220px;overflow:auto;white-space:pre-wrap;overflow-wrap:anywhere;margin:0;
background:none;color:inherit;font-size:12px}
.comfynb.comfynb .cnb-caption a{color:inherit;text-decoration:underline}
.comfynb.comfynb .cnb-caption{font-size:12px;overflow-wrap:anywhere;margin-top:4px;
color:var(--jp-ui-font-color2,inherit)}
.comfynb.comfynb a{color:var(--jp-content-link-color,#3b8ede)}
.comfynb.comfynb.comfynb code{background:none;color:inherit;padding:0;font-family:var(--jp-code-font-family,monospace)}
</style>"""


def escape(value: object, width: int | None = LONGEST) -> str:
    """Return a text made harmless, and fit for HTML and for its attributes in quotes.

    Parameters
    ----------
    value : object
        A text of whoever; None has none.
    width : int or None
        How wide it may be; see `comfynb.display.text.tidy`.

    Examples
    --------
    >>> escape("<script>alert('x')")
    '&lt;script&gt;alert(&#x27;x&#x27;)'
    """
    return html.escape(tidy(value, width), quote=True)


def safe_url(url: object) -> str | None:
    """Return a URL that may stand in a link or as the source of a picture, else None.

    It is http or https, has a host, and no user name or password. Characters that no URL has are percent-encoded.

    Examples
    --------
    >>> safe_url("https://host/a b.png"), safe_url("javascript:alert(1)"), safe_url("https://user:secret@host/")
    ('https://host/a%20b.png', None, None)
    """
    if not isinstance(url, str) or len(url) > _LONGEST_URL:
        return None
    text = quote(url.strip(), safe="%/:?#[]@!$&'()*+,;=~", errors="replace")
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return text


def bare_url(url: object) -> str | None:
    """Return a URL without what can be a secret in it: user name, password, query, fragment, and a token in its path.

    None if it is none.

    Examples
    --------
    >>> bare_url("https://user:secret@host:8443/hook?token=secret")
    'https://host:8443/hook'
    >>> bare_url("https://host/hooks/1790000000.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO_-")
    'https://host/hooks/…'
    """
    if not isinstance(url, str) or len(url) > _LONGEST_URL:
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    host = parts.netloc.rpartition("@")[2]
    path = _SIGNED_PATH.sub("/…", parts.path)
    return f"{parts.scheme}://{host}{path}" if parts.scheme in ("http", "https") and host else None


def link(text: object, url: object, width: int | None = LONGEST) -> str:
    """Return a link that opens a new tab; only its text if the URL is none that may be followed.

    Examples
    --------
    >>> link("a.png", "javascript:alert(1)")
    'a.png'
    """
    address = safe_url(url)
    if address is None:
        return escape(text, width)
    href = html.escape(address, quote=True)
    return f'<a href="{href}" target="_blank" rel="noopener noreferrer">{escape(text, width)}</a>'


def table(columns: Sequence[str], rows: Sequence[Sequence[str | Link | Dot | None]], title: str = "") -> str:
    """Return a table; every cell is escaped, and None is shown as not known."""
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def card_html(card: Card) -> str:
    """Return a card as HTML that can stand anywhere in a page; see `comfynb.display.text.card_text` for its twin."""
    status = f'<span class="cnb-status cnb-{escape(card.tone)}">{escape(card.status)}</span>' if card.status else ""
    title = f'<span class="cnb-title">{escape(card.title)}</span>' if card.title else ""
    parts = [f"<div>{status}{title}</div>"] if status or title else []
    facts = [(escape(label), tidy(value, _WIDEST_FACT)) for label, value in card.facts]
    if shown := [f"<tr><th>{label}</th>{_td(value, html.escape(value))}</tr>" for label, value in facts if value]:
        parts.append(f"<table><tbody>{''.join(shown)}</tbody></table>")
    parts.extend(_section(section) for section in card.sections)
    if card.following:
        calls = "<br>".join(f"<code>{escape(call)}</code>" for call in card.following)
        parts.append(f'<p class="cnb-next">next:<br>{calls}</p>')
    # Prices and prompts have dollars in them, which are no formulas.
    return f'{_STYLE}\n<div class="comfynb mathjax_ignore tex2jax_ignore">{"".join(filter(None, parts))}</div>'


def _section(section: Section) -> str:
    if isinstance(section, Notes):
        lines = [escape(line, _WIDEST_NOTE) for line in section.lines]
        return "".join(f'<p class="cnb-{escape(section.tone)}">{line}</p>' for line in lines if line)
    if isinstance(section, Media):
        return _media(section)
    if isinstance(section, Parts):
        return _parts(section)
    if section.rows:
        return table(section.columns, section.rows, section.title)
    return f"<p>{escape(section.title)}: {escape(section.empty)}</p>" if section.empty else ""


def _parts(parts: Parts) -> str:
    whole = sum(size for _, _, size in parts.items)
    if not parts.items:
        return ""
    cells = []
    for name, words, size in parts.items:
        # Wide enough to be read, however short it was.
        share = 12 + (100 - 12 * len(parts.items)) * (size / whole if whole > 0 else 0)
        label = f"{escape(name, 40)} {escape(words, 40)}"
        cells.append(f'<td class="cnb-part" width="{share:.0f}%">{label}</td>')
    caption = f"<caption>{escape(parts.title)}</caption>" if parts.title else ""
    return f'<table class="cnb-parts" width="100%">{caption}<tbody><tr>{"".join(cells)}</tr></tbody></table>'


def _media(media: Media) -> str:
    found = [markup for item in media.items if (markup := _medium(item, large=media.large))]
    more = f"<p>and {media.more} more</p>" if media.more else ""
    if not found:
        return more or ("<p>nothing to show so far</p>" if media.large else "")
    return f'<div class="cnb-media{" cnb-large" if media.large else ""}">{"".join(found)}</div>{more}'


def _medium(item: Medium, *, large: bool) -> str:
    """Return one item; empty for one that has nothing to look at where only that is wanted."""
    shown = _shown(item)
    if not large:
        return f'<div class="cnb-item">{shown}</div>' if shown else ""
    words = [link(item.name, item.url, _WIDEST_FACT) or UNKNOWN]
    if not shown:
        words.append(escape(f"{item.kind}, not to be shown here" if safe_url(item.url) else "only its machine has it"))
    words.append(escape(item.caption, _WIDEST_FACT))
    return f'<div class="cnb-item">{shown}<div class="cnb-caption">{"<br>".join(filter(None, words))}</div></div>'


def _shown(item: Medium) -> str:
    if item.text is not None:
        cut = item.text if len(item.text) <= _LONGEST_TEXT else f"{item.text[:_LONGEST_TEXT]}…"
        return "<pre>" + "\n".join(escape(line, None) for line in cut.splitlines()) + "</pre>"
    address = safe_url(item.url)
    if address is None:
        return ""
    source = html.escape(address, quote=True)
    if item.kind == "image":
        # Whoever serves the picture does not learn from which notebook it is looked at.
        picture = f'<img src="{source}" alt="{escape(item.name)}" loading="lazy" referrerpolicy="no-referrer">'
        return f'<details><summary title="full size, and back">{picture}</summary></details>'
    if item.kind in ("video", "audio"):
        return f'<{item.kind} src="{source}" controls preload="metadata"></{item.kind}>'
    return ""


def _cell(cell: str | Link | Dot | None) -> str:
    if isinstance(cell, Dot):
        text = tidy(cell.text, _WIDEST_CELL)
        return _td(text, f'<span class="cnb-{escape(cell.tone)}">●</span> {html.escape(text)}')
    text = tidy(cell.text if isinstance(cell, Link) else cell, _WIDEST_CELL) or ("" if cell == "" else UNKNOWN)
    return _td(text, link(text, cell.url, None) if isinstance(cell, Link) else html.escape(text))


def _td(text: str, markup: str) -> str:
    """Return a cell: a short text stays on one line, and only words that would burst a table are broken."""
    if len(text) <= _SHORT:
        return f'<td class="cnb-short">{markup}</td>'
    if max(map(len, text.split())) > _LONG_WORD:
        return f'<td class="cnb-long">{markup}</td>'
    return f"<td>{markup}</td>"
