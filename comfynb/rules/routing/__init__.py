"""Where workflows run: rules, and the decision that follows from them and from what stands. No I/O, no clock."""

from comfynb.rules.routing.checking import RuleProblem, check_rules
from comfynb.rules.routing.fleet import Fleet, Spot
from comfynb.rules.routing.route import Candidate, Route
from comfynb.rules.routing.router import Router, Subject, decide
from comfynb.rules.routing.rules import WHEN_UNAVAILABLE, RoutingRules, Rule

__all__ = [
    "WHEN_UNAVAILABLE",
    "Candidate",
    "Fleet",
    "Route",
    "Router",
    "RoutingRules",
    "Rule",
    "RuleProblem",
    "Spot",
    "Subject",
    "check_rules",
    "decide",
]
