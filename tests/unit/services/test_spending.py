"""A connection starts and spends no more than it may."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from worlds import begin_anew

import comfynb
from comfynb.sandbox import Sandbox

PRICED = "serverless-h100"


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """Return a sandbox without a past."""
    return begin_anew(_server, history=0)


def connected(sandbox: Sandbox, **options: object) -> comfynb.Workspace:
    """Connect with limits."""
    return comfynb.connect(sandbox.url, sandbox.api_key, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("journal", [None, False])
def test_so_many_runs_and_no_more(sandbox: Sandbox, journal: bool | None) -> None:
    """With or without a journal on disk; what the server refuses is not counted, and each connection counts its own."""
    with connected(sandbox, max_runs=2, journal=journal) as ws:
        sandbox.knobs.no_credits = True
        with pytest.raises(comfynb.CreditsError):
            ws.submit("text2img")
        sandbox.knobs.no_credits = False
        ws.submit("text2img")
        ws.run("text2img")
        with pytest.raises(comfynb.SpendLimitError, match="may start 2 runs, and has started 2"):
            ws.submit("text2img")
    with connected(sandbox, max_runs=1) as ws:
        ws.submit("text2img")
    assert sandbox.counters.runs_created == 3


def test_what_is_submitted_at_once_is_counted(sandbox: Sandbox) -> None:
    """Twenty threads start five runs."""
    with connected(sandbox, max_runs=5) as ws, ThreadPoolExecutor(20) as pool:

        def submit(seed: int) -> bool:
            try:
                ws.submit("text2img", seed=seed)
            except comfynb.SpendLimitError:
                return False
            return True

        assert sum(pool.map(submit, range(1, 21))) == 5
    assert sandbox.counters.runs_created == 5


def test_so_many_dollars_and_no_more(sandbox: Sandbox) -> None:
    """By the price of the machine and the seconds for which it was busy."""
    with connected(sandbox, max_cost=0.01) as ws:

        def go_on() -> None:
            while sandbox.counters.runs_created < 100:
                ws.run("text2img", machine=PRICED)

        with pytest.raises(comfynb.SpendLimitError, match=r"may spend \$0\.01, and its \d+ runs cost about"):
            go_on()
        spent = ws._core.comfyui.submitter.journal.spent(ws._core.comfyui.submitter.guard.connection)  # type: ignore[union-attr]
        assert spent.dollars >= 0.01
        assert spent.runs == sandbox.counters.runs_created


def test_nothing_may_be_nothing(sandbox: Sandbox) -> None:
    """For a notebook that only looks."""
    with connected(sandbox, max_runs=0) as ws, pytest.raises(comfynb.SpendLimitError):
        ws.submit("text2img")
    with connected(sandbox, max_cost=0) as ws, pytest.raises(comfynb.SpendLimitError):
        ws.submit("text2img")
    for wrong in ({"max_runs": -1}, {"max_cost": float("nan")}):
        with pytest.raises(comfynb.ConfigurationError, match="must not be negative"):
            connected(sandbox, **wrong)
    assert sandbox.counters.runs_created == 0


def test_what_cannot_be_counted_is_not_started(sandbox: Sandbox, tmp_path: Path) -> None:
    """A limit that nobody watches is none."""
    (tmp_path / "file").write_text("x")
    ws = connected(sandbox, max_runs=5, journal=tmp_path / "file" / "journal.sqlite")
    with ws, pytest.raises(comfynb.SpendLimitError, match=r"is counted in .* which cannot be written"):
        ws.submit("text2img")
    assert sandbox.counters.runs_created == 0


def test_a_run_that_was_started_is_handed_over_though_it_cannot_be_written_down(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The disk is full after the submit was counted: the run is there, and the next one is refused."""
    with connected(sandbox, max_runs=5, journal=tmp_path / "journal.sqlite") as ws:
        journal = ws._core.comfyui.submitter.journal
        assert journal is not None
        journal.spent("")
        assert journal._connection is not None
        journal._connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON submits BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        with pytest.warns(comfynb.warnings.JournalWarning, match="disk full"):
            run = ws.submit("text2img")
        assert run.wait().status == "success"
