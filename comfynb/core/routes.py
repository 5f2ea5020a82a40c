"""Where workflows run by the rules: one route, the table of all, what is wrong with the rules, a file to begin with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from comfynb.rules.routing import Route, RoutingRules
from comfynb.services.cache import together
from comfynb.services.routing_template import rules_template
from comfynb.services.workflows import WorkflowsService

if TYPE_CHECKING:
    import pandas as pd


class Routes:
    """Reads what decides where runs go.

    Parameters
    ----------
    catalogue : WorkflowsService
        Where it is read.
    """

    def __init__(self, catalogue: WorkflowsService) -> None:
        self._catalogue = catalogue

    async def route(self, workflow: Any, *, environment: str | None = None) -> Route:
        """Return where a workflow would run now, and why: every machine that was thought of, with why not.

        Parameters
        ----------
        workflow : str, object or row
            A workflow or a deployment.
        environment : str, optional
            Whose deployment is meant; else what the rules say, else production's, else the only one.

        Returns
        -------
        Route
            Displaying it says all of it. Its `machine` is None if no machine can take it.

        Raises
        ------
        NotFoundError, AmbiguousNameError
            If it is not clear which workflow is meant.
        ConfigurationError
            With every problem of the rules.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True, routing={"routing_rules": {"text2img": "serverless-h100"}})
        >>> ws.routing.route("text2img").machine_name
        'serverless-h100'
        """
        return await self._catalogue.routing.route(workflow, environment=environment)

    async def table(self, *, environment: str | None = None) -> pd.DataFrame:
        """Return where each workflow would run now, and why.

        Parameters
        ----------
        environment : str, optional
            Whose deployments are meant; else as in `route`.

        Returns
        -------
        pandas.DataFrame
            One row a workflow; ``comfynb.TABLES["routes"].describe()`` tells the columns.
        """
        routes, entries = await self._catalogue.routing.all(environment=environment)
        from comfynb.frames.routes import routes_frame

        frame = routes_frame(routes)
        stored = min(entry.stored for entry in entries)
        frame.attrs["source"] = str(self._catalogue.client.transport.address)
        frame.attrs["as_of"] = datetime.fromtimestamp(stored, UTC).isoformat(timespec="seconds")
        return frame

    async def check(self) -> pd.DataFrame:
        """Return what is wrong with the rules: machines that are not there, rules that cannot be met or name nothing.

        Returns
        -------
        pandas.DataFrame
            One row a problem, in the order of the file; ``comfynb.TABLES["rule_problems"].describe()`` tells the
            columns. Empty if all is well, or there are no rules.
        """
        problems = await self._catalogue.routing.check()
        from comfynb.frames.routes import rule_problems_frame

        return rule_problems_frame(problems)

    async def template(self) -> str:
        """Return a file of rules to begin with, in TOML, with comments: it names what stands, and changes nothing."""
        catalogue = self._catalogue
        routes, listed = await together(catalogue.routing.without_rules(), catalogue.deployments.entry())
        return rules_template(routes, await catalogue.routing.fleet(RoutingRules()), listed.value.deployments)
