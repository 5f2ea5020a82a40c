"""Exploring a server: which path patterns answer, whether the key is accepted, and what differs from what is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from comfynb.api import models
from comfynb.api.answers import Answer
from comfynb.api.transport import Transport
from comfynb.errors import TransportError
from comfynb.rules.probing import NO_ANSWER, Verdict, judge
from comfynb.rules.status import KNOWN

PREFIXES: Final = ("", "/api", "/v1", "/v2", "/api/v1", "/api/v2")

NOBODY: Final = str(UUID(int=0))
"""An id that nothing has: a route says that it knows nothing of it, and an unknown path something else."""

RESOURCES: Final[tuple[tuple[str, type[BaseModel] | None], ...]] = (
    ("/workflows?limit=5", models.Workflow),
    ("/workflows/all?limit=5", models.Workflow),
    ("/deployments?page_size=5", models.Deployment),
    ("/machines?limit=5", models.Machine),
    (f"/workflow/{NOBODY}", None),
    (f"/workflow/{NOBODY}/versions", None),
    (f"/workflow/{NOBODY}/deployments", None),
    (f"/workflow/{NOBODY}/runs", None),
    (f"/v2/workflow/{NOBODY}/runs", None),
    (f"/workflow-version/{NOBODY}", None),
    (f"/deployment/{NOBODY}", None),
    (f"/machine/{NOBODY}", None),
    (f"/run/{NOBODY}", None),
    ("/platform/gpu-pricing", None),
)
"""What comfynb reads, with the model of a row where the answer is a list. Only GETs: exploring changes nothing."""

MACHINE_STATUSES: Final = frozenset({"not-started", "ready", "building", "error", "running", "paused", "starting"})
MACHINE_TYPES: Final = frozenset(
    {"classic", "runpod-serverless", "modal-serverless", "comfy-deploy-serverless", "workspace", "workspace-v2"}
)
ENVIRONMENTS: Final = frozenset(
    {"production", "staging", "preview", "public-share", "private-share", "community-share"}
)
_MOST_WORKFLOWS: Final = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """One path that was asked for.

    Attributes
    ----------
    prefix, resource : str
        Its two parts.
    status : int or None
        HTTP status; None when no answer came.
    milliseconds : float or None
        Until the whole answer was there.
    verdict : Verdict
        What that says.
    """

    prefix: str
    resource: str
    status: int | None
    milliseconds: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Exploration:
    """What exploring found.

    Attributes
    ----------
    probes : tuple of Probe
        Every path, the base URL first.
    prefix : str or None
        The prefix that will be used; None if the API was not found.
    key_accepted : bool or None
        None if nothing told.
    findings : tuple of str
        The conclusions, as sentences.
    differences : tuple of str
        What of the server differs from what comfynb knows.
    """

    probes: tuple[Probe, ...]
    prefix: str | None
    key_accepted: bool | None
    findings: tuple[str, ...]
    differences: tuple[str, ...]


async def explore(transport: Transport) -> Exploration:
    """Ask for every path pattern once, with GETs only, and say what the answers mean."""
    base, page = await _probe(transport, "", "")
    probes, answers = [base], dict[tuple[str, str], Answer]()
    asked: set[str] = set()
    for under in PREFIXES:
        for resource, _ in RESOURCES:
            if under + resource in asked:
                continue
            asked.add(under + resource)
            probe, answer = await _probe(transport, under, resource)
            probes.append(probe)
            if answer is not None:
                answers[under, resource] = answer
    prefix = _used(probes)
    statuses = {probe.status for probe in probes if probe.prefix == prefix} if prefix is not None else set()
    if prefix is not None and statuses & {200}:
        accepted: bool | None = True
    else:
        accepted = False if any(probe.status == 401 for probe in probes) else None
    differences = (*_differences(prefix, probes, answers), *await _statuses(transport, prefix, answers))
    return Exploration(
        tuple(probes), prefix, accepted, tuple(_findings(transport, page, prefix, accepted, probes)), differences
    )


async def _probe(transport: Transport, prefix: str, resource: str) -> tuple[Probe, Answer | None]:
    shown = resource.partition("?")[0].replace(NOBODY, "{id}") or "/"
    try:
        answer, seconds = await transport.probe(prefix + (resource or "/"))
    except TransportError:
        return Probe(prefix, shown, None, None, NO_ANSWER), None
    verdict = judge(
        answer.status, is_json=answer.is_json, is_page="html" in answer.content_type, detail=answer.detail()
    )
    if resource == "" and verdict.words == "a web page, not the API":
        verdict = Verdict(None, "a web page")
    return Probe(prefix, shown, answer.status, seconds * 1000.0, verdict), answer


def _used(probes: Sequence[Probe]) -> str | None:
    for prefix in ("/api", ""):
        if any(p.prefix == prefix and p.resource == "/workflows" and p.verdict.words == "works" for p in probes):
            return prefix
    return None


def _findings(
    transport: Transport,
    page: Answer | None,
    prefix: str | None,
    accepted: bool | None,
    probes: Sequence[Probe],
) -> Iterable[str]:
    if page is not None and "html" in page.content_type:
        yield f"{transport.address} itself serves a web page; the API is below it."
    if all(probe.status is None for probe in probes):
        yield f"Nothing answers at {transport.address}; check url= or COMFY_DEPLOY_API_URL."
        return
    if accepted:
        yield "The key is accepted."
    elif accepted is False:
        yield (
            "The key is refused: check COMFY_DEPLOY_API_KEY. The server asks for it first, so which routes exist stays "
            "open."
        )
    else:
        yield "Whether the key is accepted is not known: no route answered that would tell."
    if prefix is not None:
        yield f"Calls go below {prefix or 'the root'}."
    elif accepted is None:
        yield f"No ComfyDeploy API was found at {transport.address}."


def _differences(prefix: str | None, probes: Sequence[Probe], answers: dict[tuple[str, str], Answer]) -> Iterable[str]:
    if prefix is None:
        return
    for probe in probes:
        if probe.prefix == prefix and probe.verdict.exists is False and probe.resource != "/":
            yield f"GET {probe.resource} is missing."
    for resource, model in RESOURCES:
        answer = answers.get((prefix, resource))
        if model is None or answer is None or answer.status != 200:
            continue
        try:
            rows = models.decode_list(model, answer.content, resource)
        except models.DecodeError as error:
            yield f"GET {resource.partition('?')[0]} cannot be read: {error}."
            continue
        unknown = sorted({name for row in rows for name in models.unknown_fields(row)})
        if unknown:
            yield f"GET {resource.partition('?')[0]} has fields that comfynb does not know: {', '.join(unknown[:10])}."
        for row in rows:
            if isinstance(row, models.Machine):
                yield from _word("machine status", row.status, MACHINE_STATUSES)
                yield from _word("machine type", row.type, MACHINE_TYPES)
            if isinstance(row, models.Deployment):
                yield from _word("environment", row.environment, ENVIRONMENTS)


def _word(what: str, word: str | None, known: frozenset[str]) -> Iterable[str]:
    if word is not None and word not in known:
        yield f"The {what} {word!r} is not known to comfynb."


async def _statuses(transport: Transport, prefix: str | None, answers: dict[tuple[str, str], Answer]) -> list[str]:
    listed = answers.get((prefix or "", RESOURCES[0][0])) if prefix is not None else None
    if listed is None or listed.status != 200:
        return []
    found: set[str] = set()
    for workflow in models.decode_list(models.Workflow, listed.content)[:_MOST_WORKFLOWS]:
        try:
            answer, _ = await transport.probe(f"{prefix}/v2/workflow/{workflow.id}/runs?limit=50")
        except TransportError:
            continue
        if answer.status == 200 and answer.is_json:
            rows = models.decode_list(models.ListedRun, answer.content)
            found.update(row.status for row in rows if row.status is not None and row.status not in KNOWN)
    return [f"The run status {status!r} is not known to comfynb." for status in sorted(found)]
