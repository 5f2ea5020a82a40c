"""Taking secrets and people out of texts."""

from __future__ import annotations

import json
import time

import pytest

from comfynb.rules.scrubbing import Scrubber


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a red fox, basic composition, no tokens", "a red fox, basic composition, no tokens"),
        ("v1-5-pruned-emaonly.safetensors", "v1-5-pruned-emaonly.safetensors"),
        ("wan2.1_i2v_480p_14B_fp8.safetensors", "wan2.1_i2v_480p_14B_fp8.safetensors"),
        ("https://files.example.com/a/b.png", "https://files.example.com/a/b.png"),
        ("http://[::1]:8188/a?b=1", "http://[::1]:8188/a"),
        ("see https://x.example/a?sig=1, then", "see https://x.example/a then"),
        ("https://hooks.example.com/services/a", "https://removed.invalid/"),
        ("redis://:pw@host:6379/0", "redis://host:6379/0"),
        ("http://[broken", "removed"),
        ("Authorization: Bearer abc123def456", "Authorization: removed"),
        ("password is tiger, really", "password is removed, really"),
        ("API_KEY=abc", "API_KEY=removed"),
        ("mail me: a.b@example.co.uk", "mail me: removed"),
        ("0123456789abcdef0123456789abcdef", "removed"),
        ("org_2abcdefghijklmnop", "removed"),
        ("data:image/png;base64,AAAAaaaa1111", "data:image/png;base64,AAAAaaaa1111"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, clean: str) -> None:
    """And what does not, stays."""
    assert Scrubber().text(text) == clean


def test_people_go_from_texts_and_stay_in_names() -> None:
    """A workflow that is called after somebody is found by that name."""
    scrubber = Scrubber(["Kim Lee", "u1", "Al"])
    assert scrubber.text("Kim Lee and kim lee; Kim Leeds, Always") == "removed and removed; Kim Leeds, Always"
    assert scrubber.name("Kim Lee's portraits") == "Kim Lee's portraits"


def test_values_are_taken_out_by_what_they_are_called() -> None:
    """At every depth; links and numbers stay."""
    given = {
        "bearer_token": "x",
        "max_tokens": 77,
        "tokenizer": "t5",
        "clip": ["4", 0],
        "rows": [{"password": "p", "on": True, "key": "k"}],
    }
    assert Scrubber().value(given) == {
        "bearer_token": "",
        "max_tokens": 77,
        "tokenizer": "t5",
        "clip": ["4", 0],
        "rows": [{"password": "", "on": True, "key": ""}],
    }


@pytest.mark.parametrize("graph", [None, [], "x", {"1": None}, {"1": {"inputs": None}}, {"1": {"class_type": "A"}}])
def test_any_shape_is_taken(graph: object) -> None:
    """As a graph, and as a drawing."""
    assert isinstance(Scrubber().graph(graph), dict)
    assert Scrubber().drawing(graph)["nodes"] == []
    assert Scrubber().drawing({"nodes": [graph], "links": [graph, [1, 2]]})["links"] == [[1, 2]] or graph == []


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "a1",
        "token",
        "token ",
        "a.",
        "a@",
        "eyJ",
        "eyJ.",
        "user_",
        "sk-",
        "basic ",
        "http",
        "http://",
        "-----BEGIN",
    ],
)
def test_long_texts_are_looked_through_once(text: str) -> None:
    """Graphs hold masks and pictures as texts; twice the length is not four times the work."""
    scrubber, long = Scrubber(["Kim Lee"]), text * (200_000 // len(text))
    started = time.perf_counter()
    assert isinstance(scrubber.text(long), str)
    assert time.perf_counter() - started < 5.0


def test_texts_that_are_json_stay_json() -> None:
    """The server fails on an enum whose options are no JSON."""
    node = {"class_type": "ComfyUIDeployExternalEnum", "inputs": {"input_id": "style"}}
    given = json.dumps(["token: one", "two"])
    for options, clean in (
        (given, ["token: removed", "two"]),
        ('["a",  "b"]', ["a", "b"]),
        ('{"key": "k"}', {"key": ""}),
    ):
        node["inputs"]["options"] = options
        found = Scrubber().graph({"1": node})["1"]["inputs"]["options"]
        assert json.loads(found) == clean
    assert Scrubber().value('["a",  "b"]') == '["a",  "b"]', "as it was written"
    assert Scrubber().value("[token: abc") == "[token: removed"


def test_what_everybody_chooses_from_is_no_secret() -> None:
    """An enum keeps its options and its default whatever it is called; a text that is called so loses its default."""
    inputs = {"input_id": "musical key", "default_value": "C", "options": '["C", "D"]', "display_name": "Key"}
    for kind, kept in (("Enum", inputs), ("Text", {**inputs, "default_value": "", "options": ""})):
        node = {"class_type": f"ComfyUIDeployExternal{kind}", "inputs": inputs}
        assert Scrubber().graph({"1": node})["1"]["inputs"] == kept


def test_notes_inside_of_subgraphs_are_kept() -> None:
    """Without people; of other nodes only that they are there."""
    inner = [
        {"id": 1, "type": "Note", "widgets_values": ["ask Kim Lee", 7]},
        {"id": 2, "type": "Other", "widgets_values": ["abc"], "properties": {"a": "b"}},
    ]
    drawing = {"nodes": [], "definitions": {"subgraphs": [{"id": "s", "name": "in", "nodes": inner, "state": {}}, 3]}}
    found = Scrubber(["Kim Lee"]).drawing(drawing)["definitions"]["subgraphs"]
    assert len(found) == 1
    assert "state" not in found[0]
    assert [node["widgets_values"] for node in found[0]["nodes"]] == [["ask removed", None], []]
