"""Answers in Redis or Valkey, which several servers share."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from comfynb.errors import ConfigurationError
from comfynb.services.cache.kept import EVERYTHING, Kept, StoreError, new_mark, spoilt

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisStore", "cache_option"]

T = TypeVar("T")

_SCHEMES: Final = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}
"""The schemes that are known, and what redis-py calls them."""

_RELEASE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_PATIENCE: Final = 2.0


class RedisStore:
    """Answers in a Redis or Valkey server.

    Parameters
    ----------
    url : str
        ``redis://…``, ``rediss://…`` or ``unix://…``, as redis-py takes it, or ``valkey://…`` or ``valkeys://…``, which
        are the first two. Its password is never shown.
    tenant : str
        What tells the server and the key of this connection from those of others: a part of every key.
    seconds : float
        For how long an answer is kept at all. How much all of them may take is the business of the server's
        ``maxmemory``.

    Raises
    ------
    ConfigurationError
        If the redis package is missing, or the address cannot be one.
    """

    def __init__(self, url: str, tenant: str, seconds: float = 7 * 24 * 3600.0) -> None:
        if find_spec("redis") is None:
            raise ConfigurationError('cache="redis://…" needs the package redis: pip install "comfynb[cache]".')
        self.name, self._url = _read_address(url)
        self._prefix = f"comfynb:{tenant}:"
        self._kept_for = seconds
        self._clients: dict[asyncio.AbstractEventLoop, Redis] = {}
        if not self._can_open():
            raise _no_address()

    def __repr__(self) -> str:
        return f"<RedisStore {self.name}>"

    async def look(self, key: str, tags: Iterable[str] = ()) -> tuple[Kept | None, dict[str, int]]:
        """See `Store.look`."""
        names = tuple(tags)
        found, *numbers = await self._tried(lambda redis: redis.mget(self._answer(key), *map(self._mark, names)))
        kept = None if found is None else Kept.read(found)
        if found is not None and kept is None:
            await self._tried(lambda redis: redis.delete(self._answer(key)))
            if names:  # who asks without tags wants the last that is known, of this or of what is asked next
                raise spoilt(self.name)
        return kept, await self._whole(names, numbers)

    async def marks(self, tags: Iterable[str]) -> dict[str, int]:
        """See `Store.marks`."""
        names = tuple(tags)
        return await self._whole(names, await self._tried(lambda redis: redis.mget(*map(self._mark, names))))

    async def keep(self, answers: Mapping[str, Kept]) -> None:
        """See `Store.keep`."""

        async def write(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipe:
                for key, kept in answers.items():
                    pipe.set(self._answer(key), kept.written(), px=int(self._kept_for * 1000))
                await pipe.execute()

        await self._tried(write)

    async def drop(self, tags: Iterable[str]) -> None:
        """See `Store.drop`."""

        async def write(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as pipe:
                for tag in tags:
                    pipe.set(self._mark(tag), new_mark())
                await pipe.execute()

        await self._tried(write)

    async def claim(self, key: str, owner: str, seconds: float) -> bool:
        """See `Store.claim`."""
        return bool(
            await self._tried(lambda redis: redis.set(self._claim(key), owner, nx=True, px=int(seconds * 1000)))
        )

    async def release(self, key: str, owner: str) -> None:
        """See `Store.release`."""
        await self._tried(lambda redis: redis.eval(_RELEASE, 1, self._claim(key), owner))

    async def clear(self) -> None:
        """See `Store.clear`."""

        async def forget(redis: Redis) -> None:
            await redis.set(self._mark(EVERYTHING), new_mark())
            async for name in redis.scan_iter(match=f"{self._prefix}answer:*", count=500):
                await redis.delete(name)

        await self._tried(forget)

    async def size(self) -> tuple[int, int]:
        """See `Store.size`."""

        async def measure(redis: Redis) -> tuple[int, int]:
            names = [name async for name in redis.scan_iter(match=f"{self._prefix}answer:*", count=500)]
            return len(names), sum([await redis.strlen(name) for name in names])

        found: tuple[int, int] = await self._tried(measure)
        return found

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    # -- how it is done -----------------------------------------------------------------------------------------

    def _answer(self, key: str) -> str:
        return f"{self._prefix}answer:{key}"

    def _mark(self, tag: str) -> str:
        return f"{self._prefix}mark:{tag}"

    def _claim(self, key: str) -> str:
        return f"{self._prefix}claim:{key}"

    async def _whole(self, tags: tuple[str, ...], found: Sequence[bytes | None]) -> dict[str, int]:
        """Return the marks of these tags, if they are some; another mark stands for what is none."""
        marks = dict(zip(tags, map(_number, found), strict=True))
        good = {tag: number for tag, number in marks.items() if number is not None}
        if len(good) < len(marks):
            await self.drop(marks.keys() - good.keys())
            raise spoilt(self.name)
        return good

    def _open(self) -> Redis:
        from redis.asyncio import Redis

        return Redis.from_url(self._url, socket_connect_timeout=_PATIENCE, socket_timeout=_PATIENCE)

    def _can_open(self) -> bool:
        """Whether redis-py takes the address with its options, and gives bytes; nothing is sent."""
        from redis.exceptions import RedisError

        try:
            pool = self._open().connection_pool
            pool.connection_class(**pool.connection_kwargs)
        except (ValueError, TypeError, AttributeError, RedisError):
            return False
        return not pool.connection_kwargs.get("decode_responses")

    async def _tried(self, function: Callable[[Redis], Awaitable[Any]]) -> Any:
        from redis.exceptions import RedisError

        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            self._clients = {known: its for known, its in self._clients.items() if not known.is_closed()}
            client = self._clients[loop] = self._open()
        try:
            async with asyncio.timeout(2 * _PATIENCE):
                return await function(client)
        except (RedisError, OSError, TimeoutError, ValueError, LookupError) as error:
            # Its words may quote the address; the class does not.
            raise StoreError(f"{self.name}: {type(error).__name__}") from error


def _number(found: bytes | None) -> int | None:
    try:
        return 0 if found is None else int(found)
    except ValueError:
        return None


def cache_option(given: object) -> str:
    """Return what ``connect(cache=…)`` is given; of an address, what redis-py takes.

    Raises
    ------
    ConfigurationError
        If it is nothing that is known. It is not quoted, since it may be an address with a password.

    Examples
    --------
    >>> cache_option("disk"), cache_option("Valkey://host")
    ('disk', 'redis://host')
    """
    text = given.strip() if isinstance(given, str) else ""
    scheme, found, _ = text.partition("://")
    if found and scheme.lower() in _SCHEMES:
        return _read_address(text)[1]
    if text not in ("memory", "disk"):
        raise ConfigurationError('cache= is unknown; it is "memory", "disk" or "redis://host:6379/0".')
    return text


def _read_address(url: str) -> tuple[str, str]:
    """Return what to call a server, with nothing secret in it, and its address as redis-py takes it."""
    scheme, found, rest = url.strip().partition("://")
    address = f"{_SCHEMES.get(scheme.lower(), '')}{found}{rest}"
    host = _host(address)
    if host is None:
        raise _no_address()
    return f"redis ({host})", address


def _host(address: str) -> str | None:
    """Return host and port of an address; None if it is none."""
    try:
        parts = urlsplit(address)
        host = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:  # with a part of the address in its words
        return None
    # Where a password has a character that means something in an address, the rest of it stands behind that.
    if not parts.scheme or "#" in address or "@" in f"{parts.path}{parts.query}":
        return None
    if parts.scheme == "unix":
        return "a Unix socket"
    return host if re.fullmatch(r"(/\d*)?", parts.path) else None


def _no_address() -> ConfigurationError:
    return ConfigurationError(
        'cache= is no address of a Redis or Valkey server; it looks like "redis://:password@host:6379/0", where '
        "characters of the password such as / # ? [ are percent-encoded (urllib.parse.quote)."
    )
