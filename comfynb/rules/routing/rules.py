"""Rules that say on which machines workflows run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from comfynb.rules.naming import standardize_workflow_name
from comfynb.rules.routing.patterns import Names, is_glob
from comfynb.rules.text import tidy

WhenUnavailable: TypeAlias = Literal["any-ready", "deployment", "fail"]
Locate: TypeAlias = Callable[[Sequence[str], str, str | None], str]
"""Makes a sentence about a key, or about an element of the list that is its value, with the place in front."""

WHEN_UNAVAILABLE: Final[tuple[WhenUnavailable, ...]] = ("any-ready", "deployment", "fail")
"""What can be done when no machine that was named can take a run."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for the workflows of one standard name, or of a glob.

    Attributes
    ----------
    pattern : str
        The standard name, or the glob as it is compared with standard names.
    machines : tuple of str
        Names or ids of machines, in the order in which they are tried.
    require_gpu : tuple of str
        GPUs, one of which the machine has to have; empty where any will do, or the rules as a whole say it.
    environment : str or None
        The environment whose deployment is meant, unless a call says another.
    when_unavailable : str or None
        What is done when no machine can take the run; None where the rules as a whole say it.
    keys : tuple of str
        Where its machines stand in the file.
    """

    pattern: str
    machines: tuple[str, ...] = ()
    require_gpu: tuple[str, ...] = ()
    environment: str | None = None
    when_unavailable: WhenUnavailable | None = None
    keys: tuple[str, ...] = ()


class RoutingRules:
    """Rules that say on which machines workflows run.

    Parameters
    ----------
    content : mapping
        What a file of rules says: `default_machine`, `require_gpu`, `environment`, `when_unavailable`, and
        `routing_rules` with a machine, a list of machines or a table for each standard name or glob.
    standardize : callable, optional
        Makes a standard name of a key.
    locate : callable, optional
        Makes a sentence about a key, with its place in front: `RulesFile.problem` of the file.

    Attributes
    ----------
    rules : tuple of Rule
        In the order of the file.
    default_machine : tuple of str
        The machines of workflows that no rule names, or whose own cannot take a run, in the order in which they are
        tried.
    default_keys : tuple of str
        Where those stand in the file.
    names : Names of Rule
        Finds the rule of a standard name.
    require_gpu, environment, when_unavailable
        What holds where a rule does not say it. `when_unavailable` is "fail" by default: a run that was meant for one
        machine may cost more on another, or fail there.

    Raises
    ------
    ConfigurationError
        With every problem at once.

    Examples
    --------
    >>> rules = RoutingRules({"routing_rules": {"text2img": ["gpu-1", "gpu-2"]}, "default_machine": "gpu-3"})
    >>> rules.match("text2img").machines, rules.default_machine
    (('gpu-1', 'gpu-2'), ('gpu-3',))
    """

    def __init__(
        self,
        content: Mapping[str, Any] | None = None,
        *,
        standardize: Callable[[str], str] = standardize_workflow_name,
        locate: Locate | None = None,
    ) -> None:
        from comfynb.rules.routing.reading import read_rules

        self.locate: Locate = locate or _located
        read = read_rules(content or {}, standardize, self.locate)
        self.rules: tuple[Rule, ...] = read.rules
        self.default_machine: tuple[str, ...] = read.default_machine
        self.default_keys: tuple[str, ...] = read.default_keys
        self.require_gpu: tuple[str, ...] = read.require_gpu
        self.environment: str | None = read.environment
        self.when_unavailable: WhenUnavailable = read.when_unavailable or "fail"
        self.names = Names(
            {rule.pattern: rule for rule in self.rules if not is_glob(rule.pattern)},
            [(rule.pattern, rule) for rule in self.rules if is_glob(rule.pattern)],
        )

    def match(self, name: str | None) -> Rule | None:
        """Return the rule for a standard name: one that has it before globs, the most specific glob before others.

        Parameters
        ----------
        name : str or None
            None, for a workflow that has no standard name, has no rule.
        """
        return self.names.find(name) if name is not None else None

    def __repr__(self) -> str:
        default = f", default {' then '.join(self.default_machine)}" if self.default_machine else ""
        return f"<RoutingRules: {len(self.rules)} rules{default}, when unavailable: {self.when_unavailable}>"


def _located(keys: Sequence[str], what: str, _text: str | None = None) -> str:
    return f"{tidy('.'.join(keys), 120) or 'The rules'}: {what}"
