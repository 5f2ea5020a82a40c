"""What the words for a run's state mean, and when a run counts as stuck."""

from __future__ import annotations

from typing import Final

TERMINAL: Final = frozenset({"success", "failed", "timeout", "cancelled"})
"""Statuses after which a run does not change any more. The one set of them in the project."""

WAITING: Final = frozenset({"not-started", "queued", "started"})
"""Statuses of a run that no node has begun to execute yet."""

ACTIVE: Final = frozenset({"running", "uploading"})
"""Statuses of a run that executes."""

KNOWN: Final = TERMINAL | WAITING | ACTIVE

ORDER: Final = {"not-started": 0, "queued": 1, "started": 2, "running": 3, "uploading": 4}
"""How far a status that is not terminal is on the way; what is shown never steps back in it."""


def is_terminal(status: str | None) -> bool:
    """Whether a run with this status has ended.

    An unknown status is not terminal: a new word of the server must not end a wait.

    Examples
    --------
    >>> is_terminal("success"), is_terminal("running"), is_terminal("brand-new")
    (True, False, False)
    """
    return status in TERMINAL


def further(shown: str, seen: str) -> str:
    """Return the status to show when `seen` arrives while `shown` stands.

    The server's status may step back for a moment (callbacks of a machine overtake each other), so a status
    replaces the shown one only if it is as far or further. A terminal status always wins, and stays.

    Examples
    --------
    >>> further("running", "not-started"), further("running", "success"), further("success", "running")
    ('running', 'success', 'success')
    """
    if shown in TERMINAL:
        return shown
    if seen in TERMINAL:
        return seen
    if seen not in ORDER or shown not in ORDER:
        return seen
    return seen if ORDER[seen] >= ORDER[shown] else shown
