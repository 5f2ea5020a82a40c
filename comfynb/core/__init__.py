"""The async core of a workspace: what it does, as coroutines that run where the connections live."""

from comfynb.core.core import Core

__all__ = ["Core"]
