"""The document that lists the workflows of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfynb.documents.document import Document, Section

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["catalog_document"]

_HEADS = {
    "name": "Workflow name",
    "display_name": "Display name",
    "deployments": "Deployment IDs",
    "required_inputs": "Required inputs",
    "description": "Description",
    "last_run": "Last run",
    "last_status": "Its status",
    "ended_runs": "Ended runs",
    "success_rate": "Success rate",
}


def catalog_document(catalog: pd.DataFrame) -> Document:
    """Return a catalog as a document: name, display name, deployment ids, required inputs and description.

    It is sorted and has no time of its own, so that writing it again shows what changed in the workspace.

    Parameters
    ----------
    catalog : pandas.DataFrame
        What `ws.catalog()` gives; with ``runs=True`` the document also tells the last run and the success rate.

    Returns
    -------
    Document
        For `comfynb.documents.write_document`.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> catalog_document(ws.catalog()).sections[0].table["name"].tolist()[:2]
    ['img2vid - wan 2.1', 'inpaint']
    """
    order = catalog["name"].fillna("").str.casefold()
    sorted_by = catalog.assign(_order=order).sort_values(["_order", "name", "id"], na_position="last")
    table = sorted_by[[name for name in _HEADS if name in catalog]].reset_index(drop=True)
    table["deployments"] = [tuple(": ".join(pair) for pair in pairs) for pairs in table["deployments"]]
    if "last_run" in table:
        table["last_run"] = table["last_run"].dt.strftime("%Y-%m-%d %H:%M:%S UTC")
        table["success_rate"] = table["success_rate"].round(3)
    text = (
        "The workflows of the workspace, as the ComfyDeploy API tells them; display names are the names with their "
        "white space tidied.",
        "Required inputs are those that a run cannot do without. Written by `comfynb catalog`: to write it anew, run "
        "that again.",
    )
    return Document("Workflows catalog", (Section(text=text, table=table, heads=_HEADS, empty="No workflows."),))
