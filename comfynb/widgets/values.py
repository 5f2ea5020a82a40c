"""The values of a form, as a mapping that can be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

__all__ = ["FormValues"]


class FormValues(MutableMapping[str, Any]):
    """The values of a form that differ from the defaults: what would be sent, by input name.

    Setting one changes its field; deleting one takes it back to its default.

    Parameters
    ----------
    values : callable
        Returns the values that there are.
    change : callable
        Called with all values that there shall be.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> form = ws.form("text2img")
    >>> form.values["prompt"] = "a red fox"
    >>> form.values
    {'prompt': 'a red fox'}
    """

    def __init__(self, values: Callable[[], Mapping[str, Any]], change: Callable[[Mapping[str, Any]], None]) -> None:
        self._values = values
        self._change = change

    def __getitem__(self, name: str) -> Any:
        return self._values()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._change({**self._values(), name: value})

    def __delitem__(self, name: str) -> None:
        _ = self[name]
        self._change({each: value for each, value in self._values().items() if each != name})

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return repr(dict(self._values()))
