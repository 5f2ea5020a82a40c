"""The page at the root of the server: what is in its world."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from comfynb.sandbox.world.world import World

__all__ = ["world_page"]

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{text-align:left;padding:.25rem .6rem;"
    "border-bottom:1px solid #ddd}th{background:#f4f4f4}code{font-size:.85em;color:#555}"
)


def world_page(world: World) -> str:
    """Return the page: machines, workflows, deployments and the last runs, without keys."""
    names = {each.id: each.name for each in world.machines.values()}
    titles = {each.id: each.name for each in world.workflows.values()}
    pace = world.pace.now()
    machines = [
        (each.name, each.type, each.gpu or "", "deleted" if each.deleted else each.status, each.id)
        for each in world.machines.values()
    ]
    workflows = [
        (each.name, str(len(each.versions)), each.description or "", each.id)
        for each in world.workflows.values()
        if not each.deleted
    ]
    deployments = [
        (
            titles.get(each.workflow_id, ""),
            each.environment,
            names.get(each.machine_id, ""),
            "fluid" if each.fluid else "",
            each.id,
        )
        for each in world.deployments.values()
    ]
    newest = sorted(world.runs.values(), key=lambda each: each.created_at, reverse=True)[:20]
    last_runs = [
        (
            f"{each.created_at:%Y-%m-%d %H:%M:%S}",
            titles.get(each.workflow_id, ""),
            names.get(each.machine_id, ""),
            each.plan.states[each.index(pace)].status,
            each.id,
        )
        for each in newest
    ]
    prefix = world.knobs.prefix or "/"
    return (
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>ComfyDeploy sandbox</title>"
        f"<style>{STYLE}</style></head><body><h1>ComfyDeploy sandbox</h1>"
        f"<p>A local stand-in for ComfyDeploy. Its API is at <code>{escape(prefix)}</code>; "
        f"it is {world.clock.now:%Y-%m-%d %H:%M:%S} UTC here.</p>"
        + _table("Machines", ("name", "type", "gpu", "status", "id"), machines)
        + _table("Workflows", ("name", "versions", "description", "id"), workflows)
        + _table("Deployments", ("workflow", "environment", "machine", "", "id"), deployments)
        + _table("Last runs", ("created", "workflow", "machine", "status", "id"), last_runs)
        + "</body></html>"
    )


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[:-1])
        + f"<td><code>{escape(row[-1])}</code></td></tr>"
        for row in rows
    )
    return f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>"
