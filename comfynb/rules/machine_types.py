"""What follows from the type of a machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["can_cancel"]

_CAN_CANCEL: Final[Mapping[str, bool]] = {
    "modal-serverless": True,
    "comfy-deploy-serverless": True,
    "runpod-serverless": False,
    "classic": False,
}


def can_cancel(machine_type: str | None) -> bool | None:
    """Return whether the server can cancel a run on a machine of a type; None where that is not known.

    Examples
    --------
    >>> can_cancel("comfy-deploy-serverless"), can_cancel("classic"), can_cancel("brand-new")
    (True, False, None)
    """
    return _CAN_CANCEL.get(machine_type or "")
