"""The two sides of everything that asks the server: methods that block, and their twins that are awaited.

What is done is a coroutine function, below. `reads` and `calls` make a method of it that blocks, with its signature and
docstring; a `Twin` has the same as a coroutine function, for any event loop. Both reach it through a `Face`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from comfynb.api.transport import NeedsNetwork
from comfynb.bridge import Runner
from comfynb.notices import collecting, show
from comfynb.services.cache import served
from comfynb.warnings import ComfyWarning, PartialResultWarning

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
AsyncFunction = Callable[..., Coroutine[Any, Any, Any]]


class Face:
    """How calls reach the core: from code that is not async, or awaited from any loop.

    Parameters
    ----------
    runner : Runner
        Where coroutines run.

    Attributes
    ----------
    on_notice : callable
        Told of each warning before it is shown, where the call was made.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.on_notice: Callable[[ComfyWarning], object] = _ignore

    def read(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Serve from the cache in this thread if that is enough, else go where the connections live."""
        try:
            return served(function)
        except NeedsNetwork:
            return self.call(function)

    def call(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run it and show what it wanted to tell, here."""
        told: list[ComfyWarning] = []
        with _shown(told, self.on_notice):
            return self.runner.run(_telling(function, told))

    async def aread(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do as `read` does, awaited."""
        try:
            return served(function)
        except NeedsNetwork:
            return await self.acall(function)

    async def acall(self, function: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do as `call` does, awaited."""
        told: list[ComfyWarning] = []
        with _shown(told, self.on_notice):
            return await self.runner.arun(_telling(function, told))

    def start(self, function: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
        """Start it and return at once."""
        return self.runner.start(function)


def reads(
    find: Callable[[Any], S], function: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]
) -> Callable[Concatenate[Any, P], T]:
    """Return a method that blocks, for a class whose objects have a `_face`: `Face.read` of a coroutine function.

    Parameters
    ----------
    find : callable
        Given the object, returns what is passed to `function` first.
    function : coroutine function
        What is done. The method has its signature and its docstring.
    """
    return _blocking(find, function, Face.read, Face.aread)


def calls(
    find: Callable[[Any], S], function: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]
) -> Callable[Concatenate[Any, P], T]:
    """Do as `reads` does, with `Face.call`: for what the cache cannot answer, or must not."""
    return _blocking(find, function, Face.call, Face.acall)


def _blocking(
    find: Callable[[Any], S],
    function: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
    wait: Callable[[Face, Callable[[], Coroutine[Any, Any, T]]], T],
    awaiting: Callable[[Face, Callable[[], Coroutine[Any, Any, T]]], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    @wraps(function)
    def blocking(self: Any, /, *arguments: P.args, **options: P.kwargs) -> T:
        return wait(self._face, lambda: function(find(self), *arguments, **options))

    async def awaited(self: Any, /, *arguments: P.args, **options: P.kwargs) -> T:
        return await awaiting(self._face, lambda: function(find(self), *arguments, **options))

    blocking.awaited = awaited  # type: ignore[attr-defined]
    return blocking


class Twin:
    """The methods of an object that ask the server, as coroutine functions for any event loop.

    They take and return the same, and have the signatures and docstrings of the methods that block.

    Parameters
    ----------
    thing : object
        Whose twin it is. Methods that `reads` and `calls` made have theirs already.
    name : str
        What the object is called in messages.
    **others
        Coroutine functions beside its other methods, by their names.
    """

    def __init__(self, thing: object, name: str, **others: AsyncFunction) -> None:
        self._of = type(thing)
        self._name = name
        self._twins: dict[str, AsyncFunction] = {
            **{
                known: partial(method.awaited, thing)
                for known, method in vars(self._of).items()
                if hasattr(method, "awaited")
            },
            **others,
        }

    def __dir__(self) -> list[str]:
        return sorted({*self._twins, *(name for name in vars(type(self)) if not name.startswith("_"))})

    def __getattr__(self, name: str) -> AsyncFunction:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._twins:
            raise AttributeError(f"{self._name}.aio has no {name!r}; it has {', '.join(sorted(self._twins))}.")
        function, method = self._twins[name], getattr(self._of, name)

        @wraps(method)
        async def twin(*arguments: Any, **options: Any) -> Any:
            return await function(*arguments, **options)

        signature = inspect.signature(method)
        twin.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])  # type: ignore[attr-defined]
        return twin

    def __repr__(self) -> str:
        return f"<{self._name}.aio: {', '.join(sorted(self._twins))}>"


def _ignore(_: ComfyWarning) -> None:
    return


@contextmanager
def _shown(told: list[ComfyWarning], noted: Callable[[ComfyWarning], object]) -> Iterator[None]:
    """Show what is told while this is entered, when it ends; what a result lacks is of no interest without one."""
    try:
        yield
    except BaseException:
        for warning in told:
            noted(warning)
        show([warning for warning in told if not isinstance(warning, PartialResultWarning)])
        raise
    for warning in told:
        noted(warning)
    show(told)


def _telling(
    function: Callable[[], Coroutine[Any, Any, T]], told: list[ComfyWarning]
) -> Callable[[], Coroutine[Any, Any, T]]:
    async def run() -> T:
        with collecting(told):
            return await function()

    return run
