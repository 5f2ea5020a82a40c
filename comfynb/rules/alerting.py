"""When an alert is raised, and when it is over: once each for every incident, whatever a check does in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from comfynb.rules.health import STATES, Finding, HealthLimits, HealthState

__all__ = ["Alert", "Alerting"]

_OK: Final[HealthState] = "ok"


@dataclass(frozen=True, slots=True)
class Alert:
    """Word of an incident: that there is one, or that it is over.

    Parameters
    ----------
    check : str
        What is not well, or is well again.
    over : bool
        Whether it is over.
    state : HealthState
        How it is now.
    seen : str
        What was seen now.
    advice : str
        What to do.
    incident : int
        The number of the incident: that of its end is that of its beginning.

    Examples
    --------
    >>> print(Alert("key", False, "bad", "refused (401)", "Make a new key.", 1))
    key is bad: refused (401). Make a new key.
    """

    check: str
    over: bool
    state: HealthState
    seen: str
    advice: str
    incident: int

    def __str__(self) -> str:
        if self.over:
            return f"{self.check} is well again: {self.seen}."
        return f"{self.check} is {self.state}: {self.seen}. {self.advice}".rstrip()


@dataclass(slots=True)
class _Check:
    incident: int | None = None
    looks: int = 0
    """How many looks, one after the other, saw the opposite of what was told last."""


class Alerting:
    """Makes alerts of findings, one look after the other. What flaps more quickly than it looks is damped.

    Examples
    --------
    >>> alerting, limits = Alerting(), HealthLimits(after=1, over=1)
    >>> bad, good = Finding("key", "bad", "refused (401)"), Finding("key", "ok", "accepted")
    >>> [len(alerting.look([each], limits)) for each in (bad, bad, good, good)]
    [1, 0, 1, 0]
    """

    def __init__(self) -> None:
        self._checks: dict[str, _Check] = {}
        self._number = 0

    @property
    def open(self) -> tuple[str, ...]:
        """The checks whose incidents are not over."""
        return tuple(name for name, check in self._checks.items() if check.incident is not None)

    def look(self, findings: Sequence[Finding], limits: HealthLimits, *, complete: bool = True) -> tuple[Alert, ...]:
        """Take in what was found now; return what is to be told.

        Parameters
        ----------
        findings : sequence of Finding
            What was found, each check once.
        limits : HealthLimits
            What an incident is.
        complete : bool
            Whether a check that is not among them is gone; else nothing is known of it, and it stays as it was.
        """
        now = {finding.check: finding for finding in findings}
        if complete:
            for name in self._checks.keys() - now.keys():
                now[name] = Finding(name, _OK, "it is gone")
        told = [self._one(finding, limits) for finding in now.values()]
        # Of what is well there is nothing to remember.
        self._checks = {name: each for name, each in self._checks.items() if each.incident is not None or each.looks}
        return tuple(alert for alert in told if alert is not None)

    def _one(self, finding: Finding, limits: HealthLimits) -> Alert | None:
        check = self._checks.setdefault(finding.check, _Check())
        wrong = _is_incident(finding, limits)
        if wrong == (check.incident is not None):
            check.looks = 0
            return None
        check.looks += 1
        if check.looks < (limits.after if wrong else limits.over):
            return None
        check.looks = 0
        if wrong:
            self._number += 1
        number = self._number if wrong else check.incident or 0
        check.incident = number if wrong else None
        return Alert(finding.check, not wrong, finding.state, finding.seen, finding.advice, number)


def _is_incident(finding: Finding, limits: HealthLimits) -> bool:
    if STATES.index(finding.state) < STATES.index(limits.level):
        return False
    return not any(fnmatchcase(finding.check, pattern) for pattern in limits.ignore)
