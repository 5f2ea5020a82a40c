"""What is known of a workspace without asking the server."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from comfynb.core import Core
from comfynb.display.words import count
from comfynb.display.workspace import WorkspaceFacts
from comfynb.errors import ComfyError


def workspace_facts(core: Core, *, sandbox: bool, trouble: str | None) -> WorkspaceFacts:
    """Return what is known of it, for a display.

    Parameters
    ----------
    core : Core
        The workspace.
    sandbox : bool
        Whether its server is a sandbox.
    trouble : str or None
        Why the server could not be asked just now.
    """
    cache, transport = core.catalogue.cache, core.catalogue.client.transport
    listed, workflows, machines = cache.peek("deployments"), cache.peek("workflows"), cache.peek("machines")
    times = [entry.stored for entry in (listed, workflows, machines) if entry is not None]
    return WorkspaceFacts(
        address=str(transport.address),
        sandbox=sandbox,
        prefix=transport.prefix,
        users=tuple(sorted({w.user_name or w.user_id or "" for w in workflows.value} - {""})) if workflows else (),
        workflows=len(workflows.value) if workflows is not None else None,
        deployments=len(listed.value.deployments) if listed is not None else None,
        broken=len(listed.value.broken) if listed is not None else 0,
        machines=Counter(machine.status or "unknown" for machine in machines.value) if machines is not None else None,
        as_of=datetime.fromtimestamp(min(times), UTC) if times else None,
        webhook=core.listener.address if core.listener is not None else core.comfyui.webhook,
        routing=_routing(core),
        trouble=trouble,
        away=_away(core),
        waiting=transport.pacer.describe(),
        last_run=core.last_run.id if core.last_run else None,
    )


def _away(core: Core) -> str | None:
    """Say why, and of when, what is shown is not the server's own answer of now."""
    keeper, offline = core.catalogue.cache.keeper, core.catalogue.client.transport.offline
    if offline is not None:
        return f"{offline} What is shown was read before."
    if keeper is not None and keeper.away:
        return "The server cannot be reached; what is shown was read before. Submits are refused until it is back."
    return None


def _routing(core: Core) -> str | None:
    routing = core.catalogue.routing
    try:
        rules, path = routing.rules(), routing.origin.path
    except ComfyError as error:
        return f"its rules cannot be used: {str(error).splitlines()[0]}"
    if rules is None:
        return None
    return count(len(rules.rules), "rule") + (f" of {path}" if path is not None else "")
