"""Private files, as an object store keeps them: an address is signed, and good for an hour."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from comfynb.sandbox.world.world import World

__all__ = ["may_read", "sign", "signed"]

GOOD_FOR = 3600
"""Seconds of the machines' time, which `Sandbox.advance` moves."""
_FORMAT = "%Y%m%dT%H%M%SZ"


def signed(world: World, value: Any) -> Any:
    """Return a part of an answer in which the addresses of private files are signed anew."""
    if isinstance(value, list):
        return [signed(world, each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("is_public") is False and isinstance(value.get("url"), str):
        return {**value, "url": sign(world, value["url"])}
    return {key: signed(world, each) for key, each in value.items()}


def sign(world: World, url: str) -> str:
    """Return the address of a file with a signature, if the file is private."""
    path = url.removeprefix(f"{world.files_url}/")
    if path not in world.private:
        return url
    moment = _now(world).strftime(_FORMAT)
    return f"{url}?X-Amz-Date={moment}&X-Amz-Expires={GOOD_FOR}&X-Amz-Signature={_signature(world, path, moment)}"


def may_read(world: World, path: str, query: str) -> bool:
    """Whether a file can be read with what stands behind its address."""
    if path not in world.private:
        return True
    given = {name: values[-1] for name, values in parse_qs(query).items()}
    moment = given.get("X-Amz-Date", "")
    try:
        made = datetime.strptime(moment, _FORMAT).replace(tzinfo=world.knobs.start.tzinfo)
    except ValueError:
        return False
    good = hmac.compare_digest(given.get("X-Amz-Signature", "").encode(), _signature(world, path, moment).encode())
    return good and _now(world) - made < timedelta(seconds=GOOD_FOR)


def _now(world: World) -> datetime:
    return world.knobs.start + timedelta(seconds=world.pace.now())


def _signature(world: World, path: str, moment: str) -> str:
    return hmac.new(f"sandbox {world.knobs.seed}".encode(), f"{path} {moment}".encode(), hashlib.sha256).hexdigest()
