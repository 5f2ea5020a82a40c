"""Taking secrets and people out of texts and graphs, so that a copy of a workspace can be handed on.

What is recognised by its name (``bearer_token``, ``password``, …) goes, whatever it looks like; what looks like a
secret, an address with a user in it, or an e-mail goes wherever it stands. Rather too much is taken out than too
little.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from comfynb.rules.input_classes import INPUT_CLASSES, class_of

__all__ = ["Scrubber"]

REMOVED: Final = "removed"

_SECRET_NAME: Final = re.compile(
    r"token(?!iz)|secret|passw|passphrase|api[_\s-]?key|access[_\s-]?key|credential|authori[sz]ation|auth[_\s-]?header"
    r"|bearer|cookie|webhook|signature|private[_\s-]?key|user[_\s-]?(name|id)|e-?mail|(^|[_\s-])(key|auth)$",
    re.IGNORECASE,
)
# None of these looks at a long text over and over: what stands before the mark by which a thing is known has an end, or
# a beginning, and is not given back (`++`). Graphs hold pictures and masks as texts.
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]{0,30}+://[^\s\"'<>`\\{}|^]+", re.IGNORECASE)
_HOOK: Final = re.compile(r"hook", re.IGNORECASE)
_LOOKS_SECRET: Final = re.compile(
    r"\b(?:bearer|basic)\s+(?=\S*\d)[\w.~+/=-]{8,}"  # an authorization header
    r"|eyJ[\w-]{8,2000}+\.[\w-]++\.[\w-]*+"  # a JSON web token
    r"|\b(?:hf_|sk-|sk_|pk_|rk_|gh[opsu]_|github_pat_|glpat-|xox[abprs]-|r8_|AIza|ya29\.)[\w-]{12,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\b(?:user|org)_[A-Za-z0-9]{12,}"  # ids of people and of their organisations
    r"|(?<![\w/+])(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{32,}\b"
    r"|-----BEGIN[^-]*PRIVATE KEY-----[\s\S]*?(?:-----END[^-]*-----|$)",
    re.IGNORECASE,
)
_ASSIGNED: Final = re.compile(
    r"((?:token|secret|passw(?:or)?d|passphrase|(?:api|access|private)[_ -]?key)"
    r"\w{0,200}+[\"']?\s{0,20}+(?:[:=]|\bis\b)\s*)[^\s,;]+",
    re.IGNORECASE,
)
"""A word for a secret and what follows it, as people write it into notes."""
_MAIL: Final = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)+")


class Scrubber:
    """Takes secrets out.

    Parameters
    ----------
    known : iterable of str
        Names and ids of people that are to go as well, wherever they stand.

    Examples
    --------
    >>> scrubber = Scrubber(["Ada Lovelace"])
    >>> scrubber.text("Ask Ada Lovelace (ada@example.com); the token is hf_abcdefghijklmnop")
    'Ask removed (removed); the token is removed'
    >>> scrubber.text("https://me:pw@files.example.com/a.png?X-Signature=12#top")
    'https://files.example.com/a.png'
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        words = sorted({re.escape(each) for each in known if len(each) > 2}, key=len, reverse=True)
        self._known = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) if words else None

    def text(self, text: str) -> str:
        """Return a text without secrets, people, and what addresses carry beyond where something is."""
        clean = self.name(text)
        return clean if self._known is None else self._known.sub(REMOVED, clean)

    def name(self, text: str) -> str:
        """Return a name without secrets. It may be called like a person: others find it by that."""
        if text.startswith("data:"):
            return text  # a picture
        clean = _ADDRESS.sub(_without_extras, text)
        clean = _MAIL.sub(REMOVED, _LOOKS_SECRET.sub(REMOVED, clean))
        return _ASSIGNED.sub(rf"\g<1>{REMOVED}", clean)

    def value(self, value: Any, name: str = "") -> Any:
        """Return a value of any shape without secrets; `name` is what it is called."""
        if isinstance(value, str):
            return "" if name and _SECRET_NAME.search(name) else self._written(value)
        if isinstance(value, list):
            return [self.value(each, name) for each in value]
        if isinstance(value, Mapping):
            return {self.name(str(key)): self.value(each, str(key)) for key, each in value.items()}
        return value

    def _written(self, text: str) -> str:
        """Return a text without secrets. JSON stays JSON: the server breaks on options that are none."""
        try:
            value = json.loads(text) if text[:1] in ("[", "{") else None
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, list | dict):
            return self.text(text)
        clean = self.value(value)
        return text if clean == value else json.dumps(clean, ensure_ascii=False)

    def graph(self, workflow_api: object) -> dict[str, Any]:
        """Return a graph as it is executed: what it does, and nothing else that it carries.

        Examples
        --------
        >>> node = {"class_type": "ComfyUIDeployExternalLora", "inputs": {"input_id": "lora", "bearer_token": "abc"}}
        >>> Scrubber().graph({"1": {**node, "is_changed": ["x"]}})
        {'1': {'inputs': {'input_id': 'lora', 'bearer_token': ''}, 'class_type': 'ComfyUIDeployExternalLora'}}
        """
        if not isinstance(workflow_api, Mapping):
            return {}
        return {str(node_id): self._node(node) for node_id, node in workflow_api.items()}

    def _node(self, node: Any) -> Any:
        if not isinstance(node, Mapping):
            return None
        clean: dict[str, Any] = {}
        if "inputs" in node:
            clean["inputs"] = self._inputs(node["inputs"], chosen=class_of(node.get("class_type")) is _ENUM)
        if "class_type" in node:
            clean["class_type"] = node["class_type"]
        meta = node.get("_meta")
        if isinstance(meta, Mapping):
            clean["_meta"] = {key: self.value(meta[key]) for key in _META if key in meta}
        return clean

    def _inputs(self, inputs: Any, *, chosen: bool) -> Any:
        if not isinstance(inputs, Mapping):
            return None
        # What an input is called decides what its default is; what everybody chooses from is no secret.
        called = " ".join(str(inputs.get(key) or "") for key in ("input_id", "display_name"))
        secret = not chosen and any(_SECRET_NAME.search(word) for word in called.split())
        clean: dict[str, Any] = {}
        for key, value in inputs.items():
            if key == "input_id":
                clean[key] = value
            elif secret and isinstance(value, str) and key not in {"display_name", "description"}:
                clean[key] = ""
            else:
                clean[key] = self.value(value, "" if _is_link(value) else str(key))
        return clean

    def drawing(self, workflow: object) -> dict[str, Any]:
        """Return a graph as it is drawn: its nodes, links and notes, without the values of its widgets.

        Which of those are secret only the nodes know. What a sampler does with its seed is kept.
        """
        drawn = workflow if isinstance(workflow, Mapping) else {}
        nodes = drawn.get("nodes")
        links = drawn.get("links")
        return {
            "last_node_id": drawn.get("last_node_id") or 0,
            "last_link_id": drawn.get("last_link_id") or 0,
            "nodes": [self._drawn(node) for node in nodes if isinstance(node, Mapping)]
            if isinstance(nodes, list)
            else [],
            "links": [each for each in links if _is_plain(each)] if isinstance(links, list) else [],
            "groups": [],
            "config": {},
            "extra": {},
            "version": 0.4,
            **self._subgraphs(drawn.get("definitions")),
        }

    def _subgraphs(self, definitions: object) -> dict[str, Any]:
        """Return the graphs inside of a graph, where there are some: their notes and samplers count as its own."""
        subgraphs = definitions.get("subgraphs") if isinstance(definitions, Mapping) else None
        if not isinstance(subgraphs, list) or not subgraphs:
            return {}
        kept = ("id", "name")
        return {
            "definitions": {
                "subgraphs": [
                    {**{key: self.value(each[key]) for key in kept if key in each}, **self.drawing(each)}
                    for each in subgraphs
                    if isinstance(each, Mapping)
                ]
            }
        }

    def _drawn(self, node: Mapping[str, Any]) -> dict[str, Any]:
        clean = {key: node[key] for key in _DRAWN if key in node}
        if isinstance(node.get("title"), str):
            clean["title"] = self.text(node["title"])
        for key, kept in (("inputs", ("name", "type", "link")), ("outputs", ("name", "type", "links", "slot_index"))):
            slots = node.get(key)
            clean[key] = [
                {name: slot[name] for name in kept if name in slot}
                for slot in (slots if isinstance(slots, list) else ())
                if isinstance(slot, Mapping)
            ]
        values = node.get("widgets_values")
        if node.get("type") in _NOTES and isinstance(values, list):
            clean["widgets_values"] = [self.text(each) if isinstance(each, str) else None for each in values]
        elif node.get("type") == "KSampler" and isinstance(values, list) and "fixed" in values[1:2]:
            clean["widgets_values"] = [0, "fixed"]
        else:
            clean["widgets_values"] = []
        return clean


_ENUM: Final = INPUT_CLASSES["ComfyUIDeployExternalEnum"]
_META: Final = ("title", "cd_input_order", "cd_input_group_id", "cd_group_name")
_DRAWN: Final = ("id", "type", "pos", "size", "order", "mode")
_NOTES: Final = ("Note", "MarkdownNote")


def _without_extras(found: re.Match[str]) -> str:
    """Return an address without user, query and fragment; one that is called is left out."""
    try:
        parts = urlsplit(found[0])
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return REMOVED
    if _HOOK.search(found[0]):
        return f"https://{REMOVED}.invalid/"
    bracketed = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, bracketed + port, parts.path, "", ""))


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[1], int)


def _is_plain(link: object) -> bool:
    return isinstance(link, list) and all(isinstance(each, str | int | float) for each in link)
