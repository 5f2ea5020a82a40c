"""Property tests of the rules look for the same examples on every machine, and leave no files behind."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("rules", derandomize=True, database=None, deadline=None)
settings.load_profile("rules")
