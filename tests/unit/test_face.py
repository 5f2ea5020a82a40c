"""Methods that block and their async twins are made of the same coroutine functions."""

from __future__ import annotations

import asyncio
import copy
import inspect
import threading
import warnings
from typing import Any

import pytest

import comfynb
from comfynb.bridge import THREAD_NAME, IOThread
from comfynb.face import Face, Twin, calls, reads
from comfynb.notices import notice
from comfynb.services.cache import Cache
from comfynb.warnings import PartialResultWarning


class Names:
    """What a group of methods does, as coroutines."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.threads: list[str] = []

    async def known(self, name: str, *, refresh: bool = False) -> str:
        """Return a name, read once."""

        async def read() -> str:
            self.threads.append(threading.current_thread().name)
            return name.upper()

        return (await self.cache.get(name, read, ttl=60.0, refresh=refresh)).value

    async def given(self, /, *names: str, **more: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """Return what was given, and tell something."""
        self.threads.append(threading.current_thread().name)
        notice(PartialResultWarning("from below"))
        return names, more

    async def fail(self) -> None:
        """Raise."""
        raise comfynb.NotFoundError("There is none.")


def _names(group: Group) -> Names:
    return group._names


class Group:
    """A group of methods of a workspace, such as a namespace has."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._face = Face(IOThread.get())

    known = reads(_names, Names.known)
    given = calls(_names, Names.given)
    fail = calls(_names, Names.fail)

    @property
    def aio(self) -> Twin:
        """Its twin."""
        return Twin(self, "ws.names")

    def local(self) -> int:
        """Ask nobody."""
        return 7


@pytest.fixture
def group() -> Group:
    """Return a group of methods."""
    return Group(Names())


def test_a_method_has_the_signature_and_the_words_of_its_coroutine_function(group: Group) -> None:
    """So has its twin; only what asks the server has one."""
    assert str(inspect.signature(group.known)) == "(name: 'str', *, refresh: 'bool' = False) -> 'str'"
    assert inspect.getdoc(group.known) == inspect.getdoc(group.aio.known) == "Return a name, read once."
    assert inspect.signature(group.aio.known) == inspect.signature(group.known)
    assert dir(group.aio) == ["fail", "given", "known"]
    assert repr(group.aio) == "<ws.names.aio: fail, given, known>"
    with pytest.raises(AttributeError, match=r"ws\.names\.aio has no 'local'; it has fail, given, known\."):
        group.aio.local  # noqa: B018


def test_what_is_known_is_given_where_it_is_asked_for(group: Group) -> None:
    """A read goes to the I/O thread only for what is not known; so does its twin."""
    assert group.known("a") == group.known("a") == asyncio.run(group.aio.known("a")) == "A"
    assert group._names.threads == [THREAD_NAME]
    assert asyncio.run(group.aio.known("b")) == group.known("b") == "B"
    assert group.known("b", refresh=True) == "B"
    assert group._names.threads == [THREAD_NAME] * 3


def test_a_call_goes_to_the_io_thread_and_tells_here(group: Group) -> None:
    """Arguments of every kind arrive; a warning points at the line of the caller."""
    with pytest.warns(PartialResultWarning, match="from below") as told:
        assert group.given("a", "b", self="c") == (("a", "b"), {"self": "c"})
    assert told[0].filename == __file__
    with pytest.warns(PartialResultWarning) as told:
        assert asyncio.run(group.aio.given("a", name="b")) == (("a",), {"name": "b"})
    assert len(told) == 1
    assert group._names.threads == [THREAD_NAME] * 2


def test_errors_come_as_they_are(group: Group) -> None:
    """Also that of a wrong argument, before anything is done."""
    with pytest.raises(comfynb.NotFoundError, match="There is none"):
        group.fail()
    with pytest.raises(comfynb.NotFoundError, match="There is none"):
        asyncio.run(group.aio.fail())
    wrong: dict[str, Any] = {"refesh": True}
    with pytest.raises(TypeError, match="unexpected keyword argument 'refesh'"):
        group.known("a", **wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument 'refesh'"):
        asyncio.run(group.aio.known("a", **wrong))
    assert group.known("a") == "A", "and nothing is spoilt by it"


def test_a_twin_may_have_more_than_its_coroutine_functions(group: Group) -> None:
    """Such as the twin of a namespace, which is found by its name."""

    class Whole(Twin):
        @property
        def names(self) -> Twin:
            """The twin of the namespace."""
            return group.aio

    whole = Whole(group, "ws")
    assert dir(whole) == ["fail", "given", "known", "names"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartialResultWarning)
        assert asyncio.run(whole.names.given("a")) == (("a",), {})
    assert dir(copy.copy(whole)) == dir(whole)
