"""What runs made, as HTML and as text: every kind, the same in both, and nothing hostile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comfynb.display.output import gallery_html, gallery_text, output_html
from comfynb.services.results import ResultFile

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e"


def made(kind: str, name: str, **more: Any) -> ResultFile:
    """Return an output of a run."""
    facts = {"url": f"https://host/{name}", "text": None, "node_id": "9", "node_class": "SaveImage", "output_id": None}
    return ResultFile(kind, name, **{**facts, **more}, run_id="r1")


def test_every_kind_has_its_way_to_be_shown() -> None:
    """Pictures grow when they are clicked, films and sounds have players, texts are read, the rest are links."""
    html = gallery_html(
        "of it",
        [
            (made("image", "a.png"), ""),
            (made("video", "b.mp4"), ""),
            (made("audio", "c.mp3"), ""),
            (made("text", "d.txt", url=None, text="first\nsecond"), ""),
            (made("3d", "e.glb"), ""),
            (made("image", "f.png", url=None), ""),
        ],
    )
    assert '<details><summary title="full size, and back"><img src="https://host/a.png"' in html
    assert '<video src="https://host/b.mp4" controls' in html
    assert '<audio src="https://host/c.mp3" controls' in html
    assert "<pre>first\nsecond</pre>" in html
    assert '<a href="https://host/e.glb"' in html
    assert "3d, not to be shown here" in html
    assert "only its machine has it" in html
    assert html.count("SaveImage (node 9)") == 6


def test_text_and_html_tell_the_same() -> None:
    """Names, kinds, who made them and of which run; what is left out is counted in both."""
    files = [(made("image", f"{number}.png"), f"text2img, run {number}") for number in range(100)]
    text, html = gallery_text("of 2 runs", files), gallery_html("of 2 runs", files)
    for words in (
        "100 outputs",
        "of 2 runs",
        "0.png",
        "59.png",
        "SaveImage (node 9)",
        "text2img, run 7",
        "and 40 more",
    ):
        assert words in text
        assert words in html
    assert "60.png" not in text + html


def test_nothing_hostile_gets_through(page: Callable[[str], Any]) -> None:
    """Neither from names and texts nor from addresses, in any place."""
    for url in (None, "javascript:alert(1)", f"https://host/{HOSTILE}", "data:text/html,<script>alert(1)</script>"):
        for kind in ("image", "video", "audio", "text", "file"):
            file = made(kind, HOSTILE, url=url, node_class=HOSTILE, node_id=HOSTILE, output_id=HOSTILE)
            for html in (gallery_html(HOSTILE, [(file, HOSTILE)]), output_html(file)):
                found = page(html)
                assert "script" not in found.tags
                assert not {name for name, _ in found.attributes if name.startswith("on")}
                assert all(
                    address.startswith("https://host/") for address in found.values("src") + found.values("href")
                )
                assert "\x1b" not in html
    html = output_html(made("text", "t", url=None, text="<script>x</script>\x1b[31m" * 100_000))
    assert "<script>" not in html
    assert len(html) < 100_000
