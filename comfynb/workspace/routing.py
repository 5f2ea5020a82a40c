"""`ws.routing`: where workflows run by the rules."""

from __future__ import annotations

from pathlib import Path

from comfynb.core import Core
from comfynb.core.routes import Routes
from comfynb.display.routing import routing_html, routing_text
from comfynb.errors import ComfyError
from comfynb.face import Twin, reads
from comfynb.rules.routing import RoutingRules


def _routes(namespace: WorkspaceRouting) -> Routes:
    return namespace._core.routes


class WorkspaceRouting:
    """Where workflows run by the rules, and why: `ws.routing`.

    Rules are a TOML file that is found, or named by `COMFYNB_ROUTING` or ``connect(routing=…)``; it is read anew when
    it changes. Without rules a workflow runs where its deployment is. Displaying this says which rules hold.

    Parameters
    ----------
    core : Core
        What it does.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True, routing={"routing_rules": {"text2img": "serverless-h100"}})
    >>> ws.routing.table().set_index("name").loc["text2img", "machine"]
    'serverless-h100'
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._face = core.face

    route = reads(_routes, Routes.route)
    table = reads(_routes, Routes.table)
    check = reads(_routes, Routes.check)
    template = reads(_routes, Routes.template)

    @property
    def aio(self) -> Twin:
        """The same as coroutine functions, for any event loop."""
        return Twin(self, "ws.routing")

    @property
    def file(self) -> Path | None:
        """The file of rules that holds now; None without one."""
        return self._core.catalogue.routing.origin.path

    def rules(self) -> RoutingRules | None:
        """Return the rules that hold now, or None if there are none.

        Raises
        ------
        ConfigurationError
            With the file, the line and the problem of everything that is wrong with them.
        """
        return self._core.catalogue.routing.rules()

    def _state(self) -> tuple[RoutingRules | None, str | None, str | None]:
        try:
            return self.rules(), self._where(), None
        except ComfyError as error:
            return None, self._where(), str(error)

    def _where(self) -> str | None:
        try:
            return str(self.file) if self.file is not None else None
        except ComfyError:
            return None

    def __repr__(self) -> str:
        return routing_text(*self._state())

    def _repr_html_(self) -> str:
        return routing_html(*self._state())
