"""Words for a person before something is sent."""

from __future__ import annotations

import sys

from comfynb.rules.text import tidy
from comfynb.runs.progress import in_kernel
from comfynb.services.prepared import Prepared


def show_route(prepared: Prepared) -> None:
    """Show where a run goes if the rules decide that: in a notebook below the cell, else on standard error.

    What no rule decides is not shown, and what cannot be submitted is not either, since its error says why.
    """
    routed = prepared.routed
    if routed is not None and prepared.ok:
        print(tidy(routed.sentence, None), file=sys.stdout if in_kernel() else sys.stderr)
