"""Tables: pure functions that make pandas DataFrames of the models. Nothing here reads or writes anything."""

from __future__ import annotations

from comfynb.frames.cache import cache_frame
from comfynb.frames.catalog import catalog_frame, catalog_runs_frame
from comfynb.frames.deployments import deployments_frame
from comfynb.frames.explore import explore_frame
from comfynb.frames.health import HealthTable, health_frame
from comfynb.frames.inputs import inputs_frame
from comfynb.frames.machines import machines_frame
from comfynb.frames.metrics import metrics_counts_frame, metrics_frame, metrics_runs_frame
from comfynb.frames.names import names_frame, standard_names_frame
from comfynb.frames.outputs import outputs_frame
from comfynb.frames.pending import pending_frame
from comfynb.frames.routes import routes_frame, rule_problems_frame
from comfynb.frames.routing_plan import load_frame, plan_frame_of
from comfynb.frames.runs import runs_frame
from comfynb.frames.schema import TABLES, Column, Table
from comfynb.frames.timeline import timeline_frame
from comfynb.frames.versions import versions_frame
from comfynb.frames.workflows import workflows_frame

__all__ = [
    "TABLES",
    "Column",
    "HealthTable",
    "Table",
    "cache_frame",
    "catalog_frame",
    "catalog_runs_frame",
    "deployments_frame",
    "explore_frame",
    "health_frame",
    "inputs_frame",
    "load_frame",
    "machines_frame",
    "metrics_counts_frame",
    "metrics_frame",
    "metrics_runs_frame",
    "names_frame",
    "outputs_frame",
    "pending_frame",
    "routes_frame",
    "rule_problems_frame",
    "plan_frame_of",
    "runs_frame",
    "standard_names_frame",
    "timeline_frame",
    "versions_frame",
    "workflows_frame",
]
