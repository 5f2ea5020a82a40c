"""The document that lists the routes of the API that comfynb uses, made from the table of routes itself."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Final

from comfynb.api import routes
from comfynb.api.client import ComfyDeployClient
from comfynb.documents.document import Document, Section

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["endpoints_document"]

_EFFECTS: Final = {
    routes.Kind.READ: "reads; may be repeated",
    routes.Kind.WRITE: "changes something; sent once",
    routes.Kind.SUBMIT: "starts a run; sent once, and looked for when its answer is lost",
}
_HEADS: Final = {
    "method": "Method",
    "prefix": "Prefix",
    "path": "Path",
    "effect": "What it does",
    "ours": "Our function",
}


def endpoints_document() -> Document:
    """Return the routes that comfynb knows, each with its method, prefix, path, and the coroutine that calls it.

    Examples
    --------
    >>> document = endpoints_document()
    >>> document.sections[0].table.loc[0, ["method", "path"]].tolist()
    ['GET', '/workflows']
    """
    text = (
        "The routes of the ComfyDeploy API that comfynb knows. Each is called by one coroutine of "
        "`comfynb.api.client.ComfyDeployClient`; the two services and the workspace are made of those.",
        "Everything lives below `/api`; four routes of the server have `/v2` after that, and there is no other "
        "version. The paths of the server's own description lack the prefix, which is found out for each server with a "
        "GET. Made from the table of routes in `comfynb/api/routes.py`: `python docs/build.py --documents` writes it "
        "anew.",
    )
    return Document("ComfyDeploy API: the routes that we use", (Section(text=text, table=_table(), heads=_HEADS),))


def _table() -> pd.DataFrame:
    import pandas as pd

    names = {id(value): name for name, value in vars(routes).items() if isinstance(value, routes.Route)}
    callers: dict[str, list[str]] = {}
    for name, function in inspect.getmembers(ComfyDeployClient, inspect.iscoroutinefunction):
        for used in inspect.unwrap(function).__code__.co_names:
            callers.setdefault(used, []).append(name)
    rows = []
    for route in routes.ROUTES:
        path = route.path
        ours = callers.get(names[id(route)], []) or (["queue"] if route.kind is routes.Kind.SUBMIT else [])
        v2 = path.startswith("/v2/")
        rows.append(
            {
                "method": route.method,
                "prefix": "/api/v2" if v2 else "/api",
                "path": path.removeprefix("/v2") if v2 else path,
                "effect": _EFFECTS[route.kind],
                "ours": tuple(ours),
            }
        )
    return pd.DataFrame(rows)
