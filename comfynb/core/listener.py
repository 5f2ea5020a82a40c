"""`Listener`: the receiver of webhooks, as an analyst holds it."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit, urlunsplit

from comfynb.display.listener import ListenerFacts, listener_html, listener_text
from comfynb.errors import ConfigurationError
from comfynb.face import Face, Twin, calls
from comfynb.services.events import RunEvents
from comfynb.services.metrics import Metrics
from comfynb.services.metrics.page import PAGE, MetricsPage
from comfynb.services.webhooks.event import Event
from comfynb.services.webhooks.receiver import Receiver, make_app
from comfynb.services.webhooks.server import Server
from comfynb.services.webhooks.token import LIFETIME, PATH, Tokens, check_secret
from comfynb.settings import check_webhook


@dataclass(frozen=True, slots=True)
class Listening:
    """How webhooks are to be received; two that are equal need one receiver.

    Attributes
    ----------
    host : str
        Where it listens.
    port : int
        On which port; 0 for any that is free.
    public_url : str or None
        How the server reaches it; None if it can by host and port.
    secret : bytes or None
        What its addresses are made with; None for one that is made for it.
    lifetime : float
        Seconds for which an address is good.
    """

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str | None = None
    secret: bytes | None = field(default=None, repr=False)
    lifetime: float = LIFETIME

    def check(self) -> Listening:
        """Return it, checked.

        Raises
        ------
        ConfigurationError
            If it cannot work.
        """
        if not isinstance(self.host, str) or not self.host:
            raise ConfigurationError(f"host={self.host!r} is no address of this machine.")
        if isinstance(self.port, bool) or not isinstance(self.port, int) or not 0 <= self.port < 65536:
            raise ConfigurationError(f"port={self.port!r} has to be a whole number from 0 to 65535.")
        if not isinstance(self.lifetime, int | float) or not 0 < self.lifetime < 1e9:
            raise ConfigurationError(f"lifetime={self.lifetime!r} has to be seconds, more than 0.")
        secret = None if self.secret is None else check_secret(self.secret)
        url = None if self.public_url is None else check_webhook(self.public_url)
        if url is not None and ({"{", "}"} & set(unquote(url)) or urlsplit(url).fragment):
            raise ConfigurationError("public_url= must have neither braces nor a part after #.")
        return Listening(self.host, self.port, url, secret, float(self.lifetime))


def _self(listener: Listener) -> Listener:
    return listener


class Listener:
    """Receives webhooks, made by `ws.listen`.

    What comes makes comfynb look at a run sooner, and is never believed: how a run stands comes from asking the server.
    So what is forged, repeated, late or out of order changes nothing. `with ws.listen():` closes it at the end.

    Parameters
    ----------
    how : Listening
        Where and how it listens.
    face : Face
        How calls reach the event loop where it runs.
    events : RunEvents
        Is told what comes.
    signed_with : bytes, optional
        The secret of a server that signs: a signature that comes along has to be right then.
    metrics : Metrics, optional
        What is served at ``/metrics``.
    """

    def __init__(
        self,
        how: Listening,
        face: Face,
        events: RunEvents,
        *,
        signed_with: bytes | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.how = how
        self._face = face
        self._events = events
        secret = how.secret or secrets.token_bytes(32)
        self._tokens = Tokens(secret, how.lifetime, time.time)
        self._receiver = Receiver(self._tokens, self._heard, signed_with)
        self._metrics_token = hmac.new(secret, PAGE.encode(), "sha256").hexdigest()
        local = how.public_url is None and how.host in ("127.0.0.1", "localhost", "::1")
        self._page = MetricsPage(metrics, self._metrics_token, is_open=local) if metrics is not None else None
        self.server = Server()

    def _heard(self, event: Event) -> bool:
        return self._events.heard(event.run_id, event.status)

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self.server.running

    @property
    def failed(self) -> bool:
        """Whether it ended without being closed."""
        return self.server.failed

    @property
    def silent(self) -> bool:
        """Whether a run has ended of which nothing came."""
        return self._events.silent

    @property
    def url(self) -> str:
        """Where it listens on this machine, without the path that is posted to."""
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return f"http://{host}:{self.server.port}"

    @property
    def public_url(self) -> str:
        """How the server reaches it, without the path that is posted to."""
        return self.how.public_url or self.url

    @property
    def address(self) -> str:
        """What the server is asked to call: `public_url`, and a path that nobody guesses and that expires.

        Who knows it can make comfynb look at runs, at most some times a second, and nothing else.
        """
        parts = urlsplit(self.public_url)
        path = f"{parts.path.rstrip('/')}{PATH}{self._tokens.current()}"
        return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

    @property
    def metrics_url(self) -> str:
        """Where Prometheus reads what this connection has counted, on this machine: keep it to yourself.

        ``/metrics`` needs the token at its end only where a tunnel or a proxy passes requests on.
        """
        return f"{self.url}{PAGE}?token={self._metrics_token}"

    @property
    def counts(self) -> dict[str, int]:
        """How many posts had which outcome: "event" is one of a run that is known here."""
        return dict(self._receiver.counts)

    async def open(self, stands_for: str | None) -> None:
        """Listen from now on, in the place of the connection's own webhook if that is named."""
        prefix = unquote(urlsplit(self.public_url).path.rstrip("/")) if self.how.public_url else ""
        routes = [self._page.route()] if self._page is not None else []
        await self.server.start(make_app(self._receiver, prefix, routes), self.how.host, self.how.port)
        self._events.open(self._address_for_events, stands_for)

    def _address_for_events(self) -> str:
        return self.address

    async def _close(self) -> None:
        """Stop listening, and free the port. Runs go on, and are asked for as always."""
        if self.running:
            self._events.close()
            await self.server.stop()

    close = calls(_self, _close)

    @property
    def aio(self) -> Twin:
        """The methods as coroutine functions, for any event loop: ``await listener.aio.close()``."""
        return Twin(self, "listener")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._face.acall(self._close)

    def facts(self) -> ListenerFacts:
        """Return what is known of it, for a display."""
        return ListenerFacts(self.running, self.url, self.address, self.counts, self._events.silent)

    def __repr__(self) -> str:
        return listener_text(self.facts())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        facts = self.facts()
        return {"text/plain": listener_text(facts), "text/html": listener_html(facts)}
