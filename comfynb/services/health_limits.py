"""The limits of health that hold: the file that is found or named, read again when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from comfynb.errors import ConfigurationError
from comfynb.rules.health import HealthLimits
from comfynb.rules.health_limits import read_limits
from comfynb.rules_files import RulesFile, Watched, find_rules_file

__all__ = ["HEALTH_FILE", "LimitsGiven", "LimitsInUse", "limits_template"]

HEALTH_FILE: Final = "comfynb-health.toml"
"""What a file of limits is called by default."""

LimitsGiven: TypeAlias = str | Path | Mapping[str, Any] | HealthLimits | bool | None
"""How limits can be given: a file, what it would say, limits; False for the defaults; None looks for a file."""


class LimitsInUse:
    """The limits that hold.

    Parameters
    ----------
    given : str, pathlib.Path, mapping, HealthLimits, bool or None
        A file, which has to be there; or what one would say; False for the defaults. None (or True) looks for a file.

    Raises
    ------
    ConfigurationError
        If they cannot be used.

    Examples
    --------
    >>> LimitsInUse({"alerts": {"after": 3}}).get().after
    3
    """

    def __init__(self, given: LimitsGiven = None) -> None:
        self._fixed: HealthLimits | None = None
        if given is False:
            self._fixed = HealthLimits()
        elif isinstance(given, HealthLimits):
            self._fixed = given
        elif isinstance(given, Mapping):
            self._fixed = read_limits(given)
        elif given is not None and given is not True and not isinstance(given, str | Path):
            raise ConfigurationError(f"config={given!r} is no file of limits, and not what one would say.")
        start = Path.cwd()
        # A named file stays the same one when the working directory changes.
        named = start / Path(given).expanduser() if isinstance(given, str | Path) else None
        self._watched = Watched(lambda: find_rules_file(HEALTH_FILE, named=named, by="config=", start=start), _make)
        self.get()

    def get(self) -> HealthLimits:
        """Return the limits that hold now.

        Raises
        ------
        ConfigurationError
            If their file cannot be used: with each problem, its file and line.
        """
        return self._fixed if self._fixed is not None else self._watched.get()


def limits_template() -> str:
    """Return a file of limits that changes nothing, with comments.

    Examples
    --------
    >>> import tomllib
    >>> read_limits(tomllib.loads(limits_template())) == HealthLimits()
    True
    """
    path = Path(__file__).parents[1] / "data" / "comfynb-health.example.toml"
    return path.read_text(encoding="utf-8")


def _make(path: Path | None) -> HealthLimits:
    if path is None:
        return HealthLimits()
    file = RulesFile.read(path)
    return read_limits(file.data, file.problem)
