"""The whole API of one server, one coroutine per route. Dull on purpose: no names, no cache, no opinions."""

from __future__ import annotations

from comfynb.api.deployment_calls import DeploymentCalls
from comfynb.api.file_calls import FileCalls
from comfynb.api.machine_calls import MachineCalls
from comfynb.api.run_calls import RunCalls
from comfynb.api.workflow_calls import WorkflowCalls


class ComfyDeployClient(WorkflowCalls, DeploymentCalls, MachineCalls, RunCalls, FileCalls):
    """The routes of one server, typed: `comfynb.api.routes` lists them.

    Parameters
    ----------
    transport : Transport
        How to reach the server.

    Notes
    -----
    Every method raises `comfynb.errors.ApiError` or one of its kinds for an answer that is an error, and
    `comfynb.errors.TransportError` when none came. Lists come whole: the pages are read one after the other.
    """
