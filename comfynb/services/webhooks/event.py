"""What is read of a post: which run it names, and what it says of its status. Neither is believed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

__all__ = ["Event", "read_event"]


class Event(BaseModel):
    """What a post says."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    run_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    status: Annotated[str, StringConstraints(max_length=64)] | None = None


def read_event(body: bytes) -> Event | None:
    """Return what a body says; None if it is no event.

    Examples
    --------
    >>> read_event(b'{"event_type": "run.updated", "status": "success", "run_id": "r1", "outputs": []}')
    Event(run_id='r1', status='success')
    >>> read_event(b'["r1"]'), read_event(b'{"run_id": 7}')
    (None, None)
    """
    try:
        return Event.model_validate_json(body)
    except ValidationError:
        return None
