"""`connect`: from settings to a workspace, without a request."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from numbers import Integral, Number, Real
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Final

from comfynb.api.client import ComfyDeployClient
from comfynb.api.connections import Limits
from comfynb.api.opening import open_client
from comfynb.bridge import THREAD_NAME, IOThread, Runner, choose
from comfynb.core import Core
from comfynb.errors import ConfigurationError
from comfynb.face import Face
from comfynb.names_files import NamesInUse, NamesOption
from comfynb.notices import notice
from comfynb.services.cache import Cache
from comfynb.services.cache.opening import data_file, open_keeper
from comfynb.services.cache.redis import cache_option
from comfynb.services.comfyui import ComfyUIService
from comfynb.services.journal import Journal
from comfynb.services.routing import RulesGiven, RulesSource
from comfynb.services.spending import SpendGuard
from comfynb.services.submitting import Submitter
from comfynb.services.workflows import Times, WorkflowsService
from comfynb.settings import read_settings
from comfynb.warnings import UnencryptedWarning
from comfynb.workspace import Workspace

if TYPE_CHECKING:
    from comfynb.sandbox import Sandbox
    from comfynb.services.cache.snapshot import Snapshot

_TYPES: Final[tuple[tuple[tuple[str, ...], tuple[type, ...], str], ...]] = (
    (("url", "api_key", "webhook"), (str, NoneType), "a text"),
    (("timeout", "retries", "cache_ttl", "machines_ttl", "oldest"), (Real,), "a number"),
    (("max_concurrent",), (Integral,), "a whole number"),
    (("max_runs",), (Integral, NoneType), "a whole number"),
    (("max_rate",), (Real, NoneType), "a number"),
    (("max_cost",), (Number, NoneType), "a number"),
    (("snapshot",), (str, Path, NoneType), "the path of a file"),
    (("journal",), (bool, str, Path, NoneType), "True, False or the path of a file"),
    (("routing",), (bool, str, Path, Mapping, NoneType), "the path of a file, a mapping or False"),
)
"""What options may be, where another type would break something later or pass for something else."""


def connect(
    url: str | None = None,
    api_key: str | None = None,
    *,
    sandbox: bool | Sandbox | None = None,
    loop: str | None = None,
    webhook: str | None = None,
    names: NamesOption = None,
    routing: RulesGiven = None,
    cache: str = "memory",
    offline: bool = False,
    snapshot: str | Path | None = None,
    last_known: bool = True,
    oldest: float = 30 * 24 * 3600.0,
    journal: bool | str | Path | None = None,
    queue_offline: bool = False,
    max_runs: int | None = None,
    max_cost: float | None = None,
    timeout: float = 60.0,
    retries: int = 4,
    cache_ttl: float = 300.0,
    machines_ttl: float = 15.0,
    max_concurrent: int = 8,
    max_rate: float | None = None,
) -> Workspace:
    """Connect to a ComfyDeploy workspace. Nothing is asked of the network until it is needed.

    What is not given is taken from the environment, then from the nearest `.env`: `COMFY_DEPLOY_API_KEY`,
    `COMFY_DEPLOY_API_URL`, `WEBHOOK_URL`, `COMFY_DEPLOY_WEBHOOK_SECRET`, `COMFYNB_SANDBOX`, `COMFYNB_NAMES`,
    `COMFYNB_ROUTING`, `COMFYNB_SNAPSHOT`.

    Parameters
    ----------
    url : str, optional
        The server, with or without ``/api``; https://api.comfydeploy.com by default.
    api_key : str, optional
        The key.
    sandbox : bool or Sandbox, optional
        True starts a local ComfyDeploy in this process, without key or network; a running `Sandbox` is connected to.
        None does so if `COMFYNB_SANDBOX` is set and neither `url` nor `api_key` is given. False never does.
    loop : {None, "thread", "kernel"}
        Where I/O runs. By default on a thread of its own. "kernel" takes the kernel's own loop through nest-asyncio,
        which works with an ipykernel before 7 and Python before 3.14 only.
    webhook : str, optional
        URL that the server is asked to call for every run.
    names : str, pathlib.Path, NamesTable or False, optional
        A file of names that mean others, or a table; False for none. None looks for ``workflow-names.toml`` from the
        working directory upwards to the project's folder, there also in ``config``, then in the user's configuration
        folder. It is read again when it changes.
    routing : str, pathlib.Path, mapping or bool, optional
        The routing rules: a TOML file, or what one would say. By default the file that `COMFYNB_ROUTING` names, else
        the nearest ``workflow-machine-routing.toml``; False takes none.
    cache : str
        Where answers are kept that are good still: "memory", of this process; "disk", a file in the user's data folder
        that survives restarts and is shared by the processes of this machine; ``"redis://host:6379/0"``, shared by
        several machines (extra `cache`).
    offline : bool
        Ask nothing of the server: reads are answered with what was read before, submits refused.
    snapshot : str or pathlib.Path, optional
        Explore what `ws.snapshot(path)` wrote, without a server or a key. `COMFYNB_SNAPSHOT` does the same for a plain
        ``connect()``.
    last_known : bool
        Whether the last answer to every read is kept in the user's data folder, for when the server is away; else in
        memory. With `sandbox=` it is in memory.
    oldest : float
        Seconds; an older answer is not shown for a server that is away.
    journal : bool, str or pathlib.Path, optional
        Where each submit is written down before it is sent, so that `ws.resume()` finds runs after a crash: a file, by
        default one in the user's data folder for each server and key. False for none, since it holds prompts. With
        `sandbox=` it is in memory unless a file is named.
    queue_offline : bool
        Whether a submit that cannot reach the server is kept in the journal, until `ws.resume()` submits it, once. The
        submit raises an `OfflineError` all the same, with the id of what is `kept`.
    max_runs : int, optional
        How many runs this connection may start; the next one is refused with a `SpendLimitError`.
    max_cost : float, optional
        How many US dollars its runs may cost before the next one is refused: by the prices of the server, and the
        seconds that machines were busy. An estimate, and runs that were started go on; a run whose price is not known
        counts nothing.
    timeout : float
        Seconds for one try of a request; a submit is given 90 more to be answered.
    retries : int
        How often a read is tried again after a fault or a 429, 502, 503 or 504. A submit is never repeated.
    cache_ttl : float
        Seconds to keep what was read.
    machines_ttl : float
        Seconds to keep the state of machines.
    max_concurrent : int
        Requests under way at once.
    max_rate : float, optional
        Requests a second, for all handles and views together: submits go first, looks at runs last. None for no limit
        but the server's own: what it asks for with ``Retry-After`` holds for all requests of the connection.

    Raises
    ------
    ConfigurationError
        If there is no key, or what is given, or the file of names, cannot work.

    Warns
    -----
    UnencryptedWarning
        If the key would go to another machine without TLS.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> ws.run("text2img", prompt="a red fox", seed=7).status
    'success'
    """
    _check_types(locals())
    cache = cache_option(cache)
    for name, value in (("timeout", timeout), ("max_concurrent", max_concurrent)):
        if not value > 0:
            raise ConfigurationError(f"{name}={value} has to be more than 0.")
    for name, value in (
        ("retries", retries),
        ("cache_ttl", cache_ttl),
        ("machines_ttl", machines_ttl),
        ("oldest", oldest),
    ):
        if not value >= 0:
            raise ConfigurationError(f"{name}={value} must not be negative.")
    if max_rate is not None and not max_rate > 0:
        raise ConfigurationError(f"max_rate={max_rate} has to be more than 0; None is no limit.")
    for name, most in (("max_runs", max_runs), ("max_cost", max_cost)):
        if most is not None and not most >= 0:
            raise ConfigurationError(f"{name}={most} must not be negative.")
    guard = SpendGuard(max_runs, max_cost)
    settings = read_settings()
    known_names = NamesInUse(names, settings.names)
    known_names.get()  # before a sandbox is started for nothing
    runner = choose(loop)
    if queue_offline and journal is False:
        raise ConfigurationError("queue_offline=True keeps submits in the journal, so journal=False cannot be.")
    plain = url is None and api_key is None
    taken: Snapshot | None = None
    if snapshot is not None or (plain and sandbox is None and settings.snapshot):
        if not plain or sandbox or offline:
            raise ConfigurationError(
                "A snapshot needs no server: give snapshot= without url=, api_key=, sandbox= or offline=."
            )
        from comfynb.services.cache.snapshot import read_snapshot

        taken = read_snapshot(Path(snapshot or settings.snapshot or "").expanduser())
        url, api_key, sandbox = taken.server, "none", False
    started: Sandbox | None = None
    if sandbox is None:
        sandbox = plain and settings.sandbox
    if sandbox is not False:
        if not plain:
            raise ConfigurationError("Give either url= and api_key=, or sandbox=, not both.")
        if sandbox is True:
            from comfynb.sandbox import Sandbox

            started = sandbox = Sandbox()
            started.start()
        url, api_key = sandbox.url, sandbox.api_key
    rules = RulesSource(routing, named=settings.routing)
    limits = Limits(timeout=timeout, retries=retries, max_concurrent=max_concurrent, max_rate=max_rate)
    client = open_client(url, api_key, limits=limits, settings=settings)
    if client.transport.address.exposed and taken is None and not offline:
        notice(
            UnencryptedWarning(
                f"The API key goes to {client.transport.address} without TLS, so that everybody on its way can read "
                "it; use https:// where the server has it."
            )
        )
    times = Times(cache_ttl, machines_ttl)
    in_memory = sandbox is not False
    keeper = open_keeper(
        client.transport,
        cache=cache,
        offline=offline,
        snapshot=taken,
        in_memory=in_memory or not last_known,
        oldest=oldest,
    )
    answers = Cache(keeper=keeper, background=runner.start)
    workflows = WorkflowsService(client, answers, times, names=known_names, routing=rules)
    kept = _journal(journal, client, in_memory=in_memory or taken is not None)
    if kept is None and guard.limits:
        kept = Journal(None)  # what is counted has to stand somewhere
    submitter = Submitter(client, journal=kept, guard=guard, queue_offline=queue_offline)
    service = ComfyUIService(
        workflows, submitter=submitter, webhook=webhook if webhook is not None else settings.webhook_url
    )
    core = Core(service, Face(runner), started, webhook_secret=settings.webhook_secret, simulated=sandbox is not False)
    # Of no use once neither the workspace nor a handle of it is held any more: both hold the core.
    weakref.finalize(core, _let_go, runner, workflows, started, submitter.journal)
    return Workspace(core, sandbox=sandbox or None)


def _check_types(given: Mapping[str, object]) -> None:
    """Refuse options of types that break something later. None is quoted: a key may stand in the wrong place."""
    for names, types, kind in _TYPES:
        for name in names:
            value = given[name]
            # True is a number to Python, and to nobody else.
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                raise ConfigurationError(f"{name}= has to be {kind}, not {type(value).__name__}.")
    sandbox = given["sandbox"]
    if sandbox is not None and not isinstance(sandbox, bool) and not hasattr(sandbox, "api_key"):
        raise ConfigurationError(f"sandbox= has to be True, False or a Sandbox, not {type(sandbox).__name__}.")


def _journal(asked: bool | str | Path | None, client: ComfyDeployClient, *, in_memory: bool) -> Journal | None:
    if asked is False:
        return None
    if isinstance(asked, str | Path):
        return Journal(Path(asked).expanduser())
    if in_memory:
        return Journal(None)
    return Journal(data_file(client.transport, "journal"))


def _let_go(runner: Runner, service: WorkflowsService, sandbox: Sandbox | None, journal: Journal | None) -> None:
    """Close what nobody can use any more."""
    if isinstance(runner, IOThread):
        closed = runner.start(service.aclose)
        if threading.current_thread().name != THREAD_NAME:
            with suppress(Exception):  # connections are closed by their end, whatever goes wrong here
                closed.result(2.0)
    if journal is not None:
        journal.close()
    if sandbox is not None:
        sandbox.stop()
