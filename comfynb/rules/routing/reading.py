"""From what a file of rules says to rules, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from comfynb.errors import ConfigurationError, InputError
from comfynb.rules.environments import check_environment
from comfynb.rules.lookup import nearest
from comfynb.rules.routing.patterns import is_glob, standard_glob
from comfynb.rules.routing.rules import WHEN_UNAVAILABLE, Locate, Rule, WhenUnavailable
from comfynb.rules.text import tidy

_SETTINGS: Final = ("require_gpu", "environment", "when_unavailable")
_TOP: Final = ("default_machine", "routing_rules", *_SETTINGS)
_OF_RULE: Final = ("machines", *_SETTINGS)
_OTHER_SPELLING: Final = {"defaultMachine": "default_machine", "routingRules": "routing_rules"}
"""As the settings of JavaScript are spelled."""


@dataclass
class Read:
    """What was read; the attributes are those of `RoutingRules`."""

    rules: tuple[Rule, ...] = ()
    default_machine: tuple[str, ...] = ()
    default_keys: tuple[str, ...] = ("default_machine",)
    require_gpu: tuple[str, ...] = ()
    environment: str | None = None
    when_unavailable: WhenUnavailable | None = None


@dataclass
class _Reader:
    standardize: Callable[[str], str]
    locate: Locate
    problems: list[str] = field(default_factory=list)

    def problem(self, keys: tuple[str, ...], what: str, text: str | None = None) -> None:
        """Note what is wrong at a place."""
        self.problems.append(self.locate(keys, what, text))

    # -- the parts ----------------------------------------------------------------------------------------------

    def everything(self, content: Mapping[str, Any]) -> Read:
        """Read the whole."""
        found = Read()
        top = self._spelled_once(content, _TOP)
        for key in content:
            if _OTHER_SPELLING.get(key, key) not in _TOP:
                self.problem((key,), f"{_shown(key)} is no setting{self._instead(key, content[key])}")
        self._settings(found, top)
        default = top.get("default_machine")
        if "routing_rules" in top:
            key, table = top["routing_rules"]
            if isinstance(table, Mapping):
                below = self._below(key, table)
                if below is not None and default is not None:
                    self.problem(below[0], f"{_shown(below[0][-1])} stands above [{key}], too; keep one of them.")
                default = default or below
                found.rules = tuple(self._rules(key, table))
            else:
                self.problem((key,), f"{key} has to be a table: [{key}], and below it a line for each workflow.")
        if default is not None:
            keys, value = default
            found.default_keys = keys if isinstance(keys, tuple) else (keys,)
            found.default_machine = self._texts(found.default_keys, value, "a machine")
        return found

    def _spelled_once(self, content: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
        """Return key and value of each known setting, by its name; a setting may be spelled in two ways."""
        found: dict[str, Any] = {}
        for key, value in content.items():
            name = _OTHER_SPELLING.get(key, key)
            if name not in known:
                continue
            if name in found:
                self.problem((key,), f"{key} and {found[name][0]} are the same setting; keep one of them.")
            else:
                found[name] = (key, value)
        return found

    def _below(self, key: str, table: Mapping[str, Any]) -> tuple[tuple[str, ...], Any] | None:
        """Return the default machine where it stands below the heading of the rules, and so in their table."""
        inside = self._spelled_once(table, ("default_machine",))
        for name in _SETTINGS:
            if name in table:
                self.problem(
                    (key, name), f"{name} is a setting, and below [{key}] it would be a rule; write it above [{key}]."
                )
        if "default_machine" not in inside:
            return None
        name, value = inside["default_machine"]
        return (key, name), value

    def _rules(self, at: str, table: Mapping[str, Any]) -> list[Rule]:
        found: dict[str, Rule] = {}
        for key, value in table.items():
            if _OTHER_SPELLING.get(key) == "default_machine" or key in ("default_machine", *_SETTINGS):
                continue
            keys = (at, key)
            rule = self._rule(keys, key, value)
            if rule is None:
                continue
            if rule.pattern in found:
                other = found[rule.pattern].keys[1]
                self.problem(
                    keys,
                    f"{_shown(key)} and {_shown(other)} have one standard name, {_shown(rule.pattern)}; keep one of "
                    "them.",
                )
                continue
            found[rule.pattern] = rule
        return list(found.values())

    def _rule(self, keys: tuple[str, ...], key: str, value: Any) -> Rule | None:
        try:
            pattern = standard_glob(key) if is_glob(key) else self.standardize(key)
        except InputError:
            pattern = ""
        if not pattern:
            self.problem(keys, f"{_shown(key)} is no workflow's name: it has neither a letter nor a digit.")
            return None
        if not isinstance(value, Mapping):
            return Rule(pattern, self._texts(keys, value, "a machine"), keys=keys)
        found = Read()
        for name in value:
            if name not in _OF_RULE:
                self.problem((*keys, name), f"{_shown(name)} is no setting of a rule{self._instead_in_rule(name)}")
        self._settings(found, {name: (name, value[name]) for name in _SETTINGS if name in value}, keys)
        machines = self._texts((*keys, "machines"), value["machines"], "a machine") if "machines" in value else ()
        return Rule(
            pattern,
            machines,
            require_gpu=found.require_gpu,
            environment=found.environment,
            when_unavailable=found.when_unavailable,
            keys=(*keys, "machines") if "machines" in value else keys,
        )

    def _settings(self, into: Read, top: Mapping[str, tuple[str, Any]], at: tuple[str, ...] = ()) -> None:
        if "require_gpu" in top:
            into.require_gpu = self._texts((*at, "require_gpu"), top["require_gpu"][1], "a GPU")
        if "environment" in top:
            try:
                into.environment = check_environment(top["environment"][1])
            except InputError as error:
                self.problem((*at, "environment"), str(error))
        if "when_unavailable" in top:
            value = top["when_unavailable"][1]
            if value in WHEN_UNAVAILABLE:
                into.when_unavailable = cast("WhenUnavailable", value)
            else:
                listed = ", ".join(f'"{each}"' for each in WHEN_UNAVAILABLE)
                self.problem((*at, "when_unavailable"), f"when_unavailable is {_shown(value)}; it can be {listed}.")

    def _texts(self, keys: tuple[str, ...], value: Any, what: str) -> tuple[str, ...]:
        """Return one text or several, each once."""
        several = isinstance(value, list | tuple)
        found: list[str] = []
        for each in value if several else [value]:
            if isinstance(each, str) and each.strip():
                found.append(each.strip())
            else:
                shown = "empty" if isinstance(each, str) else f"{_shown(each)}, no text"
                self.problem(keys, f"{what.capitalize()} is a name in quotes, or a list of them; this is {shown}.")
        if several and not value:
            self.problem(keys, f"The list is empty; it has to name {what} at least.")
        return tuple(dict.fromkeys(found))

    # -- what is meant instead ----------------------------------------------------------------------------------

    def _instead(self, key: str, value: Any) -> str:
        near = nearest(key, _TOP)
        if near:
            return f"; did you mean {near[0]}?"
        if isinstance(value, str | list | Mapping):
            return "; a rule for a workflow of that name belongs below [routing_rules]."
        return f"; there are {', '.join(_TOP)}."

    def _instead_in_rule(self, name: str) -> str:
        if _OTHER_SPELLING.get(name, name) in ("default_machine", "routing_rules"):
            return "; write it above the first heading."
        near = nearest(name, _OF_RULE)
        if near:
            return f"; did you mean {near[0]}?"
        return f"; there are {', '.join(_OF_RULE)}. A name with a dot is written in quotes."


def read_rules(content: Mapping[str, Any], standardize: Callable[[str], str], locate: Locate) -> Read:
    """Return what a file of rules says.

    Parameters
    ----------
    content : mapping
        What TOML makes of the file.
    standardize : callable
        Makes a standard name of a key.
    locate : callable
        Makes a sentence about a key.

    Raises
    ------
    ConfigurationError
        With every problem, one a line.
    """
    reader = _Reader(standardize, locate)
    found = reader.everything(content)
    if reader.problems:
        raise_problems(reader.problems)
    return found


def raise_problems(problems: list[str]) -> None:
    """Raise them all at once, one a line."""
    if len(problems) == 1:
        raise ConfigurationError(problems[0])
    listed = "\n".join(f"  {each}" for each in problems)
    raise ConfigurationError(f"The routing rules have {len(problems)} problems:\n{listed}")


def _shown(value: object) -> str:
    return tidy(repr(value), 60)
