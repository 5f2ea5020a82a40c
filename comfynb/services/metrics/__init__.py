"""What a connection has counted: calls, waits, cache results, webhooks and runs."""

from comfynb.services.metrics.ended import EndedRun
from comfynb.services.metrics.metrics import Metrics

__all__ = ["EndedRun", "Metrics"]
