"""Answers of the server, and the one place that turns bad ones into errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from comfynb.errors import (
    AnswerError,
    ApiError,
    AuthenticationError,
    CreditsError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from comfynb.rules.sizes import size_words

_LONGEST = 300
_A_DAY = 86_400.0
"""Seconds; a longer wait that a server asks for counts as this, since no request waits for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end."""

    status: int
    content: bytes
    content_type: str = ""
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    more_than: int | None = None
    """Bytes that it has more than; it was not taken then, and has no content."""

    @property
    def is_json(self) -> bool:
        """Whether the server says that it is JSON."""
        return "json" in self.content_type

    @property
    def no_such_route(self) -> bool:
        """Whether this says that the path itself is unknown, which is not the same as an unknown id."""
        if self.status == 404:
            return not self.is_json or self.detail() in ("Not Found", "")
        return self.status < 300 and not self.is_json

    @property
    def drops_connection(self) -> bool:
        """Whether the server closes the connection after this answer without saying so.

        Seen after every unhandled error: 500 with a plain text. The next request on that connection fails.
        """
        return self.status == 500 and not self.is_json

    def detail(self) -> str:
        """Return the server's own words, on one line, shortened; half characters become question marks."""
        return shorten(_words(self)).encode("utf-8", "replace").decode()


def shorten(text: str, longest: int = _LONGEST) -> str:
    r"""Fold white space and cut a long text in its middle.

    Examples
    --------
    >>> shorten("a\n  b"), shorten("x" * 10, 5)
    ('a b', 'xx…xx')
    """
    line = " ".join(text.split())
    if len(line) <= longest:
        return line
    half = (longest - 1) // 2
    return f"{line[:half]}…{line[-half:]}"


def sentence(text: str) -> str:
    """Return a text with a full stop, if it does not end like a sentence.

    Examples
    --------
    >>> sentence("Machine not found"), sentence("Really?")
    ('Machine not found.', 'Really?')
    """
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _words(answer: Answer) -> str:
    body = answer.content[:100_000]
    if not answer.is_json:
        if "html" in answer.content_type:
            return "a web page"
        return body.decode("utf-8", "replace")
    try:
        return _said(json.loads(answer.content))
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")


def _said(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("detail", value.get("error", value.get("message", value)))
    if isinstance(value, list):
        return "; ".join(_problem(item) for item in value)
    return _as_text(value)


def _problem(item: Any) -> str:
    if not isinstance(item, dict) or "msg" not in item:
        return _as_text(item)
    place = item.get("loc")
    parts = place if isinstance(place, list) else [] if place is None else [place]
    where = ".".join(str(part) for part in parts if part != "body")
    said = _as_text(item["msg"])
    return f"{where}: {said}" if where else said


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def retry_after(answer: Answer, now: datetime | None = None) -> float | None:
    """Return the seconds that the server asks to wait, from either form of `Retry-After`; None without one.

    More than a day is a day.
    """
    value = answer.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return min(_A_DAY, float(value))
    when = http_date(value)
    if when is None:
        return None
    base = http_date(answer.headers.get("date", "")) or now or datetime.now(UTC)
    return min(_A_DAY, max(0.0, (when - base).total_seconds()))


def http_date(value: str) -> datetime | None:
    """Read a date of an HTTP header as UTC; None for anything else."""
    try:
        when = parsedate_to_datetime(value)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def raise_for(answer: Answer, *, method: str, path: str, server: str, again: bool = True) -> None:
    """Raise the error that an answer stands for; do nothing for a good one.

    Parameters
    ----------
    answer : Answer
        What came.
    method, path, server : str
        What was asked of whom.
    again : bool
        Whether it may be tried again, so that the message can say when.

    Raises
    ------
    ApiError
        Of the class for its status; see `comfynb.errors`.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    said = answer.detail()
    facts: dict[str, Any] = {"status": status, "method": method, "path": path, "detail": said}
    call = f"{method} {path}"
    if 300 <= status < 400:
        target = answer.headers.get("location", "")
        raise ApiError(
            f"{server} sends {call} on to another address ({shorten(target, 120) or 'not named'}); connect to that "
            "address instead (url= or COMFY_DEPLOY_API_URL).",
            **facts,
        )
    if status == 401:
        raise AuthenticationError(
            f"{server} refused the API key ({said}); check COMFY_DEPLOY_API_KEY, or make a new key in the API Keys "
            "section of your ComfyDeploy account.",
            **facts,
        )
    if status == 403:
        if "credit" in said.lower():
            raise CreditsError(f"The account has not enough credits for {call}: {said}", **facts)
        raise PermissionDeniedError(f"This key may not do {call}: {said}", **facts)
    if status == 404:
        what = "the server has no such route" if answer.no_such_route else said
        raise NotFoundError(f"{call}: {what}.", **facts)
    if status == 429:
        wait = retry_after(answer)
        hint = f"; it asks to wait {'a day or more' if wait >= _A_DAY else f'{wait:.0f} s'}" if wait is not None else ""
        raise RateLimitError(
            f"{server} limits the rate of requests ({call}){hint}.{' Try again later.' if again else ''}",
            retry_after=wait,
            **facts,
        )
    if status in (502, 503, 504):
        raise ApiError(
            f"{server} is not available at the moment ({status} on {call}: {said or 'without a word'})."
            f"{' Try again later.' if again else ''}",
            **facts,
        )
    said = sentence(said or "without a word")
    if status == 422 or status == 400:
        raise ApiError(f"{server} rejected {call} ({status}): {said}", **facts)
    hint = " The fault is the server's, and the same request seldom fares better." if again and status == 500 else ""
    raise ApiError(f"{server} failed on {call} ({status}): {said}{hint}", **facts)


def unreadable(answer: Answer, why: str, *, method: str, path: str, server: str) -> AnswerError:
    """Return the error for a good status with a body that cannot be used."""
    if answer.more_than is not None:
        why = f"it has more than {size_words(answer.more_than)}"
        text = f"The answer of {server} to {method} {path} was not taken, since {why}; ask for less at once."
    elif "html" in answer.content_type or answer.content.lstrip()[:1] == b"<":
        text = (
            f"{server} answered {method} {path} with a web page instead of data; is this the address of the API "
            "(url= or COMFY_DEPLOY_API_URL)?"
        )
    else:
        text = f"The answer of {server} to {method} {path} cannot be read: {sentence(shorten(why, 160))}"
    return AnswerError(text, status=answer.status, method=method, path=path, detail=shorten(why, 160))
