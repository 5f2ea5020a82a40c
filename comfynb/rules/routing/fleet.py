"""The machines that there are, and which of them a name in the rules stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

from comfynb.errors import InputError
from comfynb.rules.naming import display_name, standardize_workflow_name

WhyNot: TypeAlias = Literal[
    "missing", "deleted", "ambiguous", "disabled", "paused", "building", "error", "wrong GPU", "refused"
]
READY: Final = frozenset({"ready", "running"})
"""Statuses with which a machine surely takes runs. One that is not known stops nobody who named the machine, since
servers come to know more of them; but nothing goes there that was not sent there by name."""
_BY_STATUS: Final[Mapping[str, WhyNot]] = {"paused": "paused", "building": "building", "error": "error"}


class MachineLike(Protocol):
    """What of a machine decides."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def name(self) -> str | None:
        """Its name."""

    @property
    def status(self) -> str | None:
        """How it is."""

    @property
    def gpu(self) -> str | None:
        """Its GPU, where that is known."""

    @property
    def disabled(self) -> bool | None:
        """Whether it is switched off."""


class Spot(NamedTuple):
    """What a name in the rules stands for.

    Parameters
    ----------
    wanted : str
        The name or id, as it is written.
    machine : MachineLike or None
        The machine; None if there is none, or more than one.
    why_not : str or None
        Why it can take no run; None if it can.
    """

    wanted: str
    machine: MachineLike | None
    why_not: WhyNot | None

    @property
    def name(self) -> str:
        """The machine's name, tidied; what is written where there is none."""
        return display_name(self.machine.name or self.machine.id) if self.machine is not None else self.wanted


class Fleet:
    """The machines of a workspace at one moment.

    Parameters
    ----------
    machines : iterable of MachineLike
        Those that there are.
    deleted : iterable of MachineLike
        Those that there were, so that they can be told from mistyped names.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> box = SimpleNamespace(id="m1", name="Old Box", status="paused", gpu=None, disabled=None)
    >>> Fleet([box]).find("old-box").why_not, Fleet([box]).find("new-box").why_not
    ('paused', 'missing')
    """

    def __init__(self, machines: Iterable[MachineLike], deleted: Iterable[MachineLike] = ()) -> None:
        self.machines = tuple(machines)
        self.by_id: dict[str, MachineLike] = {machine.id: machine for machine in self.machines}
        self._levels = _index(self.machines)
        self._gone = _index(tuple(machine for machine in deleted if machine.id not in self.by_id))
        self._spots: dict[str, Spot] = {}
        ready = [Spot(m.id, m, None) for m in self.machines if m.status in READY and why_not(m) is None]
        self.ready: tuple[Spot, ...] = tuple(sorted(ready, key=lambda spot: (spot.name.casefold(), spot.wanted)))
        """Those that can take a run, by name."""

    def find(self, wanted: str) -> Spot:
        """Return what a name or an id stands for, in the order in which all names are looked up."""
        spot = self._spots.get(wanted)
        if spot is None:
            spot = self._spots[wanted] = self._look(wanted)
        return spot

    def of_id(self, machine_id: str | None) -> Spot | None:
        """Return the machine of an id, such as that of a deployment; None without an id."""
        if not machine_id:
            return None
        machine = self.by_id.get(machine_id)
        if machine is not None:
            return Spot(machine_id, machine, why_not(machine))
        found = self._gone[0](machine_id)
        return Spot(machine_id, found[0] if found else None, "deleted" if found else "missing")

    def _look(self, wanted: str) -> Spot:
        for level in self._levels:
            found = level(wanted)
            if len(found) == 1:
                return Spot(wanted, found[0], why_not(found[0]))
            if found:
                return Spot(wanted, None, "ambiguous")
        for level in self._gone:
            if found := level(wanted):
                return Spot(wanted, found[0], "deleted")
        return Spot(wanted, None, "missing")


def why_not(machine: MachineLike) -> WhyNot | None:
    """Return why a machine can take no run; None if it can."""
    if machine.disabled:
        return "disabled"
    return _BY_STATUS.get(machine.status or "")


def _index(machines: Sequence[MachineLike]) -> tuple[Callable[[str], Sequence[MachineLike]], ...]:
    """Return the levels at which a name is looked up: id, exact, without regard to case, standard name."""
    by_id: dict[str, list[MachineLike]] = {}
    exact: dict[str, list[MachineLike]] = {}
    folded: dict[str, list[MachineLike]] = {}
    standard: dict[str, list[MachineLike]] = {}
    for machine in machines:
        name = machine.name or ""
        by_id.setdefault(machine.id, []).append(machine)
        exact.setdefault(name, []).append(machine)
        folded.setdefault(name.casefold(), []).append(machine)
        standard.setdefault(_standard(name), []).append(machine)
    return (
        lambda wanted: by_id.get(wanted, ()),
        lambda wanted: exact.get(wanted, ()),
        lambda wanted: folded.get(wanted.casefold(), ()),
        lambda wanted: standard.get(_standard(wanted), ()) if _standard(wanted) else (),
    )


def _standard(name: str) -> str:
    try:
        return standardize_workflow_name(name)
    except InputError:
        return ""
