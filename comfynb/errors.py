"""Every error that comfynb raises.

::

    ComfyError
    ├── ConfigurationError          what connect() was given cannot work
    ├── ApiError                    the server answered, and the answer is an error
    │   ├── AuthenticationError     401: the key was refused
    │   ├── PermissionDeniedError   403: the key is good, but not for this
    │   │   └── CreditsError        403: not enough credits to start a run
    │   ├── NotFoundError           there is no such thing, or it is not yours
    │   ├── RateLimitError          429, after all retries
    │   └── AnswerError             the answer is no JSON, is cut off, or has another shape
    ├── TransportError              no answer: refused, reset, timed out, no such host
    │   └── OfflineError            the server is away, and this needs it
    ├── AmbiguousNameError          a name fits more than one thing
    ├── InputError                  inputs that cannot be sent: all problems, by input name
    ├── ConflictError               a change would replace what stands, and replace=True was not given
    ├── RoutingError                no machine can take the run
    ├── SpendLimitError             the connection has started or spent as much as it may
    ├── SubmitUncertainError        a submit got no answer, and may have started a run
    ├── WaitTimeout                 waiting ended before the run did
    └── RunError                    the run ended, and not well; carries .run
        ├── RunFailed
        ├── RunTimedOut
        ├── RunCancelled
        └── RunStalled              nothing changes any more, and there is nothing to show

A message is one sentence, or a few: what happened, to what, and what to do. No message contains an API key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfynb.runs.run import Run

__all__ = [
    "AmbiguousNameError",
    "AnswerError",
    "ApiError",
    "AuthenticationError",
    "ComfyError",
    "ConfigurationError",
    "ConflictError",
    "CreditsError",
    "InputError",
    "NotFoundError",
    "OfflineError",
    "PermissionDeniedError",
    "RateLimitError",
    "RoutingError",
    "RunCancelled",
    "RunError",
    "RunFailed",
    "RunStalled",
    "RunTimedOut",
    "SpendLimitError",
    "SubmitUncertainError",
    "TransportError",
    "WaitTimeout",
]


class ComfyError(Exception):
    """The base of every error that comfynb raises."""

    # The notebook and the command line show errors as text; the attributes are for programs.


class ConfigurationError(ComfyError):
    """What `connect()` was given, or found in the environment, cannot work. Raised before any request."""


class ApiError(ComfyError):
    """The server answered with an error.

    Parameters
    ----------
    message : str
        What is shown.
    status : int
        HTTP status of the answer.
    method, path : str
        The request, without the server's address.
    detail : str
        The server's own words, shortened.

    Notes
    -----
    Raised as such for statuses that have no class of their own, such as 422 and 500. No 500 is tried again: every
    500 of this API that was seen is deterministic.
    """

    def __init__(self, message: str, *, status: int = 0, method: str = "", path: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.method = method
        self.path = path
        self.detail = detail


class AuthenticationError(ApiError):
    """The server refused the key (401)."""


class PermissionDeniedError(ApiError):
    """The key is good, but not for this thing (403)."""


class CreditsError(PermissionDeniedError):
    """The account has not enough credits to start a run (403)."""


class NotFoundError(ApiError):
    """There is no such workflow, deployment, machine, run or route, or it belongs to somebody else.

    Parameters
    ----------
    message : str
        What is shown.
    near : sequence of str
        The nearest names that exist, best first; may be empty.
    """

    def __init__(self, message: str, *, near: Sequence[str] = (), **more: Any) -> None:
        super().__init__(message, **more)
        self.near = tuple(near)


class RateLimitError(ApiError):
    """The server still answered 429 after all retries.

    Parameters
    ----------
    message : str
        What is shown.
    retry_after : float or None
        Seconds that the server asked to wait, where it said so.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.retry_after = retry_after


class AnswerError(ApiError):
    """The server's answer cannot be read: no JSON (a web page, say), cut off, or of another shape than known."""


class TransportError(ComfyError):
    """No answer came: connection refused or reset, no such host, a timeout, a bad certificate.

    Parameters
    ----------
    message : str
        What is shown.
    sent : bool
        Whether any part of the request may have reached the server.
    again : bool
        Whether the same may fare better when it is tried again.
    """

    def __init__(self, message: str, *, sent: bool = True, again: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        self.again = again


class OfflineError(TransportError):
    """The server is away or must not be asked, and what was asked needs it.

    Parameters
    ----------
    message : str
        What is shown.
    sent : bool
        Whether any part of the request may have reached the server.
    kept : str, optional
        The id of the submit in the journal, if it is kept there until `ws.resume()` submits it.
    """

    def __init__(self, message: str, *, sent: bool = False, kept: str | None = None) -> None:
        super().__init__(message, sent=sent, again=False)
        self.kept = kept


class AmbiguousNameError(ComfyError):
    """A name fits more than one thing; the message lists them, with their ids.

    Parameters
    ----------
    message : str
        What is shown.
    candidates : sequence of tuple of (str, str)
        (name, id) of each.
    """

    def __init__(self, message: str, *, candidates: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class InputError(ComfyError):
    """Inputs that cannot be sent. Nothing was submitted.

    Parameters
    ----------
    message : str
        What is shown: every problem, one a line.
    problems : mapping of str to str
        The problem of each input, by input name.
    """

    def __init__(self, message: str, *, problems: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.problems: dict[str, str] = dict(problems or {})


class ConflictError(ComfyError):
    """A change would replace what stands, and `replace=True` was not given. Nothing was changed."""


class RoutingError(ComfyError):
    """No machine can take the run, or the wanted one cannot. Nothing was submitted."""


class SpendLimitError(ComfyError):
    """The connection has started as many runs, or spent as much, as `connect` allows it. Nothing was submitted."""


class SubmitUncertainError(ComfyError):
    """A submit got no usable answer, and whether a run was started could not be found out.

    It was not sent again, since that could pay for a second run. Look at `ws.runs(workflow=…)` before repeating.

    Parameters
    ----------
    message : str
        What is shown.
    candidates : sequence of str
        Ids of the runs that it may be, newest first; may be empty.
    """

    def __init__(self, message: str, *, candidates: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class _CarriesRun(ComfyError):
    def __init__(self, message: str, *, run: Run | None = None) -> None:
        super().__init__(message)
        self.run = run


class WaitTimeout(_CarriesRun):
    """Waiting ended before the run did. The run goes on, and may be billing; `.run` is its handle."""


class RunError(_CarriesRun):
    """A run ended, and not with success. `.run` is its handle, `.run.explain()` says more."""


class RunFailed(RunError):
    """The run failed: a node raised an error, or the machine could not be reached."""


class RunTimedOut(RunError):
    """The server gave the run up as timed out."""


class RunCancelled(RunError):
    """The run was cancelled."""


class RunStalled(RunError):
    """The run does not change any more and has no outputs; whether it still runs is unknown."""
