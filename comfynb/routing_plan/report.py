"""What came of the testing plan, as a table and as a document."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from comfynb.documents import Document, Section
from comfynb.frames.routing_plan import load_frame, plan_frame_of
from comfynb.routing_plan.load import Load
from comfynb.routing_plan.plan import PlanResult

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["plan_document", "plan_frame"]

_HEADS = {"kind": "Kind", "case": "Case", "expected": "Expected", "seen": "Seen", "verdict": "Verdict"}
_LOAD_HEADS = {
    "what": "What",
    "at_once": "At once",
    "number": "Number",
    "seconds": "Seconds",
    "per_second": "Per second",
    "median_ms": "Median (ms)",
    "p95_ms": "95th percentile (ms)",
    "wrong": "Wrong or failed",
}
_VERDICTS = ("passed", "failed", "sandbox only", "not run")
_KINDS = ("workflow types", "inputs", "edge cases")


def plan_frame(tested: PlanResult) -> pd.DataFrame:
    """Return one row per case.

    Returns
    -------
    pandas.DataFrame
        Columns as `comfynb.TABLES["routing_plan"]` declares them.
    """
    return plan_frame_of(
        [(each.case.kind, each.case.title, each.expected, each.seen, each.verdict) for each in tested.checked]
    )


def plan_document(tested: PlanResult) -> Document:
    """Return what came of the plan as a document; what was measured under load stands in a section of its own.

    Parameters
    ----------
    tested : PlanResult
        What came of it.
    """
    frame = plan_frame(tested)
    counts = frame["verdict"].value_counts()
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if verdict in counts)
    sections = [
        Section(
            text=(
                f"Whether runs go where the rules send them, on {tested.where}: {told}.",
                "Each case writes rules of its own, and looks at the machine that the server names for the run. "
                "Written by `comfynb routing-test`.",
            )
        )
    ]
    for kind in _KINDS:
        rows = frame[frame["kind"] == kind].drop(columns="kind").reset_index(drop=True)
        sections.append(Section(kind.capitalize(), table=rows, heads=_HEADS))
    if tested.load:
        sections.append(
            Section(
                "Load",
                (
                    "Decisions are made over 1,000 rules and 500 machines, in threads. Runs are submitted to a sandbox "
                    "at the same time, each with its checks before and after. These figures differ from one machine "
                    "and one day to another.",
                ),
                load_frame(
                    [(m.what, m.at_once, m.number, m.seconds, m.rate, m.typical, m.slow, m.wrong) for m in tested.load]
                ),
                _LOAD_HEADS,
                _plot(tested.load),
            )
        )
    return Document("Workflow routing tests", tuple(sections))


def _plot(load: tuple[Load, ...]) -> str:
    """Return bars of how many a second, one panel for each kind of work, as SVG."""
    parts, top = [], 0
    for what, title in (("decisions", "decisions a second, by threads"), ("runs", "runs a second, by runs at once")):
        rows = [each for each in load if each.what == what]
        if not rows:
            continue
        most = max(each.rate for each in rows)
        parts.append(f'<text x="10" y="{top + 22}" font-weight="bold">{escape(title)}</text>')
        for place, each in enumerate(rows):
            y = top + 36 + place * 26
            width = max(1.0, 420 * each.rate / most)
            parts.append(f'<text x="70" y="{y + 14}" text-anchor="end">{each.at_once}</text>')
            parts.append(f'<rect x="80" y="{y}" width="{width:.0f}" height="18" rx="2" fill="#4878a8"/>')
            parts.append(f'<text x="{88 + width:.0f}" y="{y + 14}">{each.rate:,.0f}</text>')
        top += 50 + len(rows) * 26
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{top}" viewBox="0 0 640 {top}" '
        f'font-family="sans-serif" font-size="13">\n<rect width="640" height="{top}" fill="#ffffff"/>\n{body}\n</svg>\n'
    )
