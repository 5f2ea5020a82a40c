"""What a form holds: the values that differ from the defaults, and what is wrong with them. No widgets, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from comfynb.errors import InputError
from comfynb.rules.coercion import RefusedValueError, coerce, is_random_seed
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.scalars import plain
from comfynb.rules.validation import merge_inputs
from comfynb.services.given_files import read_given
from comfynb.widgets.fields.field import UNSET

__all__ = ["FormState"]


class FormState:
    """The values of a form.

    Parameters
    ----------
    definitions : sequence of InputDefinition
        The inputs of the workflow.

    Attributes
    ----------
    given : dict
        The values that differ from the defaults, by input name, in the order of the inputs.
    problems : dict of str to str
        What keeps them from being sent, by input name: what `ws.submit` would say.
    """

    def __init__(self, definitions: Sequence[InputDefinition]) -> None:
        self.definitions = {definition.name: definition for definition in definitions}
        self.given: dict[str, Any] = {}
        self.problems: dict[str, str] = {}
        self._files: dict[str, tuple[Any, Any]] = {}
        self._check()

    def give(self, name: str, value: Any) -> None:
        """Set one value, or take it back to its default with UNSET."""
        if value is UNSET or _is_default(self.definitions[name], value):
            self.given.pop(name, None)
        else:
            self.given[name] = value
        self._check()

    def replace(self, values: Mapping[str, Any]) -> None:
        """Set all values; the rest go back to their defaults.

        Raises
        ------
        InputError
            If there is no input of a name; nothing is changed then.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"Values are a mapping from input name to value, not a {type(values).__name__}.")
        unknown = {name: value for name, value in values.items() if name not in self.definitions}
        if unknown:
            found = merge_inputs(tuple(self.definitions.values()), unknown, draw=_lowest).problems
            problems = {str(name): found[str(name)] for name in unknown}
            lines = "; ".join(problems.values())
            raise InputError(f"The form was not changed: {lines}.", problems=problems)
        self.given = {
            name: values[name]
            for name, definition in self.definitions.items()
            if name in values and not _is_default(definition, values[name])
        }
        self._check()

    def _check(self) -> None:
        merged = merge_inputs(tuple(self.definitions.values()), self.given, draw=_lowest, read=self._read)
        self.problems = {name: merged.problems[name] for name in self.definitions if name in merged.problems}

    def _read(self, definition: InputDefinition, value: Any) -> Any:
        """Read what was given; a picture or an array, which has to be written as a file for that, only once."""
        if isinstance(value, str | PurePath | list | tuple):
            return read_given(definition, value)
        known, read = self._files.get(definition.name, (None, None))
        if known is not value:
            read = read_given(definition, value)
            self._files[definition.name] = (value, read)
        return read


def _is_default(definition: InputDefinition, value: Any) -> bool:
    """Whether giving a value does the same as not giving it."""
    value = plain(value)
    if definition.kind == "seed" and is_random_seed(value):
        return not definition.has_fixed_seed
    if not definition.has_default or not isinstance(value, str | int | float | list | tuple | dict):
        return False
    try:
        return coerce(definition, value) == definition.default
    except RefusedValueError:
        return False


def _lowest(low: int, _: int) -> int:
    return low
