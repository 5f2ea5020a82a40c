"""What was read is kept: in memory, on disk or in Redis, and as the last that is known of a server that is away."""

from comfynb.services.cache.memory import Cache, Entry
from comfynb.services.cache.reading import served, together

__all__ = ["Cache", "Entry", "served", "together"]
