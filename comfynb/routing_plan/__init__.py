"""The testing plan of routing: cases with what is expected and what was seen, on a sandbox or on a real server."""

from comfynb.routing_plan.case import Case, Checked
from comfynb.routing_plan.cases import CASES
from comfynb.routing_plan.load import Load, measure_load
from comfynb.routing_plan.plan import PlanResult, run_on_sandbox, run_on_server
from comfynb.routing_plan.report import plan_document, plan_frame

__all__ = [
    "CASES",
    "Case",
    "Checked",
    "Load",
    "PlanResult",
    "measure_load",
    "plan_document",
    "plan_frame",
    "run_on_sandbox",
    "run_on_server",
]
