"""Explore and run ComfyUI workflows on ComfyDeploy from a notebook.

Three steps::

    import comfynb
    ws = comfynb.connect()                       # or connect(sandbox=True): no key, no network
    ws.catalog()                                 # look
    ws.run("text2img", prompt="a red fox")       # run
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from comfynb.errors import (
    AmbiguousNameError,
    AnswerError,
    ApiError,
    AuthenticationError,
    ComfyError,
    ConfigurationError,
    ConflictError,
    CreditsError,
    InputError,
    NotFoundError,
    OfflineError,
    PermissionDeniedError,
    RateLimitError,
    RoutingError,
    RunCancelled,
    RunError,
    RunFailed,
    RunStalled,
    RunTimedOut,
    SpendLimitError,
    SubmitUncertainError,
    TransportError,
    WaitTimeout,
)

if TYPE_CHECKING:
    from comfynb.connecting import connect
    from comfynb.frames.schema import TABLES
    from comfynb.names_files import example_names
    from comfynb.rules.names_table import NamesTable
    from comfynb.runs.output import Output
    from comfynb.runs.run import Run
    from comfynb.sandbox import Knobs, Sandbox
    from comfynb.services.comfyui import ComfyUIService
    from comfynb.services.prepared import Prepared
    from comfynb.services.workflows import WorkflowsService
    from comfynb.standardizing import standardize_workflow_name
    from comfynb.widgets.form import RunForm
    from comfynb.widgets.gallery import Gallery
    from comfynb.widgets.run_view import RunView
    from comfynb.workspace import Workspace

# Whoever wants the log says so: without this, Python would print its warnings, from threads of ours, too.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__version__ = "0.1.0"

__all__ = [
    # the way in
    "connect",
    "Workspace",
    "Run",
    "Output",
    "Prepared",
    "TABLES",
    # widgets
    "RunForm",
    "RunView",
    "Gallery",
    # the two services
    "WorkflowsService",
    "ComfyUIService",
    # names
    "standardize_workflow_name",
    "NamesTable",
    "example_names",
    # a local ComfyDeploy
    "Sandbox",
    "Knobs",
    # errors
    "ComfyError",
    "ConfigurationError",
    "ApiError",
    "AuthenticationError",
    "PermissionDeniedError",
    "CreditsError",
    "NotFoundError",
    "RateLimitError",
    "AnswerError",
    "TransportError",
    "OfflineError",
    "AmbiguousNameError",
    "InputError",
    "ConflictError",
    "RoutingError",
    "SpendLimitError",
    "SubmitUncertainError",
    "WaitTimeout",
    "RunError",
    "RunFailed",
    "RunTimedOut",
    "RunCancelled",
    "RunStalled",
]

# Where the names stand that are imported when first used: `import comfynb` stays as light as httpx and pydantic.
_LATER = {
    "connect": "comfynb.connecting",
    "Workspace": "comfynb.workspace",
    "Run": "comfynb.runs.run",
    "Output": "comfynb.runs.output",
    "RunForm": "comfynb.widgets.form",
    "RunView": "comfynb.widgets.run_view",
    "Gallery": "comfynb.widgets.gallery",
    "Prepared": "comfynb.services.prepared",
    "TABLES": "comfynb.frames.schema",
    "WorkflowsService": "comfynb.services.workflows",
    "ComfyUIService": "comfynb.services.comfyui",
    "standardize_workflow_name": "comfynb.standardizing",
    "NamesTable": "comfynb.rules.names_table",
    "example_names": "comfynb.names_files",
    "Sandbox": "comfynb.sandbox",
    "Knobs": "comfynb.sandbox",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'comfynb' has no attribute {name!r}")
    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, "errors", "warnings", *(name for name in globals() if name.startswith("__"))})
