"""The faults that knobs ask for, decided once for each request."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from comfynb.sandbox.clock import http_date
from comfynb.sandbox.http import TEXT, Answer, answer
from comfynb.sandbox.world.world import World

__all__ = ["Fault", "Faults"]

PHRASES = {500: b"Internal Server Error", 502: b"Bad Gateway", 503: b"Service Unavailable", 504: b"Gateway Timeout"}
HTML = b"text/html; charset=utf-8"
PORTAL = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a request instead of, or besides, its answer."""

    instead: Answer | None = None
    drop: Literal["", "before", "middle", "after"] = ""
    truncate: bool = False


class Faults:
    """Decides which requests meet a fault.

    Parameters
    ----------
    world : World
        Its knobs decide.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._recent: deque[float] = deque()
        self._asked = 0

    def strike(self, method: str, path: str) -> Fault | None:
        """Return the fault that meets this request, or None."""
        knobs = self._world.knobs
        if knobs.faults_on and knobs.faults_on not in f"{method} {path}":
            return None
        if knobs.drop_next and knobs.take("drop_next"):
            self._count("drop_next")
            return Fault(drop=knobs.drop)
        if knobs.limit_next and knobs.take("limit_next"):
            self._count("limit_next")
            return Fault(self._limited())
        if knobs.rate_limit and self._too_fast(knobs.rate_limit):
            self._count("rate_limit")
            return Fault(self._limited())
        if knobs.fail_next and knobs.take("fail_next"):
            self._count("fail_next")
            return Fault(self._failed())
        if knobs.error_rate:
            self._asked += 1
            if self._world.ids.fraction("error", self._asked) < knobs.error_rate:
                self._count("error_rate")
                return Fault(self._failed())
        if knobs.html_answers:
            return Fault(Answer(PORTAL, content_type=HTML))
        if knobs.truncate_next and knobs.take("truncate_next"):
            self._count("truncate_next")
            return Fault(truncate=True)
        return None

    def _count(self, name: str) -> None:
        self._world.counters.faults[name] += 1

    def _too_fast(self, limit: float) -> bool:
        now = time.monotonic()
        while self._recent and self._recent[0] < now - 1:
            self._recent.popleft()
        if len(self._recent) >= limit:
            return True
        self._recent.append(now)
        return False

    def _limited(self) -> Answer:
        refused = answer({"detail": "Too Many Requests"}, 429)
        refused.headers = self._retry_after()
        return refused

    def _failed(self) -> Answer:
        status = self._world.knobs.fail_status
        phrase = PHRASES.get(status, b"Error")
        if status == 500:
            return Answer(phrase, 500, TEXT, hang_up=True)
        page = b"<html><head><title>%d %s</title></head><body><h1>%s</h1></body></html>" % (status, phrase, phrase)
        return Answer(page, status, b"text/html", self._retry_after() if status == 503 else [])

    def _retry_after(self) -> list[tuple[bytes, bytes]]:
        knobs = self._world.knobs
        if knobs.retry_after is None:
            return []
        if knobs.retry_after_form == "date":
            when = self._world.now() + timedelta(seconds=knobs.retry_after)
            return [(b"retry-after", http_date(when).encode())]
        return [(b"retry-after", f"{knobs.retry_after:g}".encode())]
