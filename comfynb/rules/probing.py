"""What the answer to a probe says about a path, in words."""

from __future__ import annotations

from typing import Final, NamedTuple


class Verdict(NamedTuple):
    """What a probe found.

    Parameters
    ----------
    exists : bool or None
        Whether the path is a route of the API; None if the answer does not tell.
    words : str
        The same, in words.
    """

    exists: bool | None
    words: str


NO_ANSWER: Final = Verdict(None, "no answer")


def judge(status: int, *, is_json: bool, is_page: bool, detail: str) -> Verdict:
    """Return what an answer to a GET tells about its path.

    Parameters
    ----------
    status : int
        HTTP status.
    is_json, is_page : bool
        What its body is.
    detail : str
        The server's own words.

    Examples
    --------
    >>> judge(401, is_json=True, is_page=False, detail="Invalid or missing token").exists is None
    True
    >>> judge(404, is_json=True, is_page=False, detail="Not Found").words
    'no such route'
    """
    if 200 <= status < 300:
        if is_json:
            return Verdict(True, "works")
        return Verdict(False, "a web page, not the API" if is_page else "something else than JSON")
    if 300 <= status < 400:
        return Verdict(None, "sent on to another address")
    if status == 401:
        return Verdict(None, "the key is asked for first, so this proves no route")
    if status == 403:
        return Verdict(None, "not allowed with this key")
    if status == 404:
        if is_json and detail not in ("Not Found", ""):
            return Verdict(True, f"a route; {detail}")
        return Verdict(False, "no such route")
    if status == 405:
        return Verdict(True, "a route, for another method")
    if status == 422:
        return Verdict(True, "a route; it wants other parameters")
    if status == 429:
        return Verdict(None, "the rate is limited")
    if status == 500:
        return Verdict(True, f"a route that fails: {detail}")
    return Verdict(None, f"not available ({status})")
