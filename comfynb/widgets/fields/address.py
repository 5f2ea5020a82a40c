"""Defaults that are addresses, which may have something in them that is not to be shown."""

from __future__ import annotations

from comfynb.display.form import value_words
from comfynb.display.html import bare_url
from comfynb.rules.inputs import InputDefinition
from comfynb.widgets.fields.field import sendable

__all__ = ["default_words"]


def default_words(definition: InputDefinition) -> tuple[str, str]:
    """Return the default as it may stand in a control, and what is said of it in an empty one.

    An address with a user, a query or a fragment may hold a key, and a data URI is long: those are told, not shown.

    Examples
    --------
    >>> from comfynb.rules.inputs import InputDefinition
    >>> default_words(InputDefinition("a", "A", "", "lora", default="x.safetensors", has_default=True))
    ('x.safetensors', "default: 'x.safetensors'")
    >>> default_words(InputDefinition("a", "A", "", "lora", default="https://h/x?token=secret", has_default=True))
    ('', "default: 'https://h/x'")
    """
    default = definition.default
    if not definition.has_default or not isinstance(default, str):
        return "", ""
    told = f"default: {sendable(value_words(definition.kind, default))}"
    is_address = "://" in default or default[:5].lower() == "data:"
    return ("" if is_address and bare_url(default) != default else sendable(default)), told
