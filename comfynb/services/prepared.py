"""What a submit would send: decided, checked and priced before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comfynb.api import routes
from comfynb.api.models import Deployment, Machine, Version, Workflow
from comfynb.api.routes import Route
from comfynb.errors import RoutingError
from comfynb.rules.given_file import GivenFile
from comfynb.rules.inputs import InputDefinition
from comfynb.rules.naming import display_name
from comfynb.rules.routing import Route as MachineRoute
from comfynb.rules.validation import MergedInputs, check_problems

UNAVAILABLE: Mapping[str, str] = {
    "paused": "is paused",
    "error": "is in an error state",
    "building": "is still being built",
}
"""Statuses of a machine on which a run cannot go well. The server would try all the same."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that could be submitted. Displaying it says what would be sent, where, and what is wrong.

    Attributes
    ----------
    workflow : Workflow
        What would run.
    deployment : Deployment or None
        Through which deployment; None when a version is sent to a machine instead.
    version : Version
        The version that would run.
    machine : Machine or None
        Where it would run; None when that machine does not exist (any more).
    machine_id : str or None
        Its id, even when it does not exist.
    definitions : tuple of InputDefinition
        All inputs of that version.
    inputs : MergedInputs
        What would be sent, what the run would use, and the problems.
    blockers : tuple of str
        Why it cannot run there.
    notes : tuple of str
        What one should know, such as that there is no deployment.
    price : float or None
        US dollars a second of the GPU; None when unknown. What a run costs in the end is the server's to say.
    webhook : str or None
        URL that the server would call.
    listened : bool
        Whether that is the one of `ws.listen()`.
    routed : Route or None
        How the routing rules chose the machine, with every candidate; None when they did not.
    """

    workflow: Workflow
    deployment: Deployment | None
    version: Version
    machine: Machine | None
    machine_id: str | None
    definitions: tuple[InputDefinition, ...]
    inputs: MergedInputs
    blockers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    price: float | None = None
    webhook: str | None = None
    routed: MachineRoute | None = None
    listened: bool = False

    @property
    def name(self) -> str:
        """The workflow's name, tidied."""
        return display_name(self.workflow.name or self.workflow.id)

    @property
    def environment(self) -> str | None:
        """The deployment's environment; None without one."""
        return self.deployment.environment if self.deployment is not None else None

    @property
    def gpu(self) -> str | None:
        """The GPU that it would run on, where the server tells."""
        of_deployment = self.deployment.gpu if self.deployment is not None else None
        return of_deployment or (self.machine.gpu if self.machine is not None else None)

    @property
    def problems(self) -> dict[str, str]:
        """Every problem of the inputs, by input name."""
        return dict(self.inputs.problems)

    @property
    def files(self) -> tuple[GivenFile, ...]:
        """The files that a submit uploads first; none if it cannot be submitted."""
        return self.inputs.files if self.ok else ()

    @property
    def ok(self) -> bool:
        """Whether it can be submitted."""
        return not self.inputs.problems and not self.blockers

    @property
    def machine_name(self) -> str:
        """The machine's name, or its id when it does not exist."""
        return display_name(self.machine.name or self.machine.id) if self.machine else (self.machine_id or "none")

    @property
    def route(self) -> str:
        """In words: where it would run, and how it gets there."""
        if self.deployment is not None:
            return f"{self.machine_name}, by the {self.environment} deployment"
        return f"{self.machine_name}, by version and machine (no deployment)"

    @property
    def request(self) -> tuple[Route, dict[str, Any]]:
        """The route and the body that would be sent. A machine's id is sent only where the server heeds it.

        Files that are still to be uploaded stand in it as they were given, since they have no address yet.
        """
        body: dict[str, Any]
        if self.deployment is not None:
            route, body = routes.QUEUE_DEPLOYMENT, {"deployment_id": self.deployment.id}
        else:
            route, body = (
                routes.QUEUE_VERSION,
                {
                    "workflow_version_id": self.version.id,
                    "machine_id": self.machine_id,
                },
            )
        body["inputs"] = dict(self.inputs.send)
        if self.webhook:
            body["webhook"] = self.webhook
            if self.listened:
                body["webhook_intermediate_status"] = True  # each node that begins is worth a look
        return route, body

    def check(self) -> None:
        """Raise what stands in the way of a submit.

        Raises
        ------
        InputError
            With all problems of the inputs.
        RoutingError
            If the machine cannot take it.
        """
        check_problems(self.inputs, self.name)
        if self.blockers:
            raise RoutingError(f"{self.name} was not submitted: {' '.join(self.blockers)}")

    def __repr__(self) -> str:
        from comfynb.display.prepared import prepared_text

        return prepared_text(self)

    def _repr_html_(self) -> str:
        from comfynb.display.prepared import prepared_html

        return prepared_html(self)
