"""What a connection has counted: calls, waits, cache results, webhooks and runs."""

from comfynb.services.metrics.figures import EndedRun, RouteFigures, RunFigures
from comfynb.services.metrics.metrics import Metrics

__all__ = ["EndedRun", "Metrics", "RouteFigures", "RunFigures"]
