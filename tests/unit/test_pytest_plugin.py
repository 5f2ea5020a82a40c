"""The pytest plugin gives a test a ComfyDeploy of its own, with the names that the user wants."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import comfynb
from comfynb.sandbox import Sandbox

pytest_plugins = ["pytester"]

GUIDE = Path(__file__).parents[2] / "docs" / "test_your_notebooks.md"
OURS = """
[[machines]]
name = "studio"

[[workflows]]
name = "{name}"
machine = "studio"
inputs = ["prompt"]

[[deployments]]
workflow = "{name}"
"""


def write_worlds(*places: Path) -> None:
    """Write worlds, each with one workflow that is called like its file."""
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(OURS.format(name=place.stem))


def test_a_plain_connect_goes_to_the_sandbox_of_the_fixture(comfynb_sandbox: Sandbox) -> None:
    """So code under test needs no argument for it, and the test can count what it did."""
    with comfynb.connect() as ws:
        assert ws.url == comfynb_sandbox.url
        assert ws.run("text2img", prompt="a red fox", seed=7).status == "success"
    assert comfynb_sandbox.counters.requests["POST /run/deployment/queue"] == 1


def test_processes_that_a_test_starts_go_there_too(comfynb_sandbox: Sandbox) -> None:
    """A notebook's kernel, say."""
    code = "import comfynb; print(comfynb.connect().url)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == comfynb_sandbox.url


@pytest.mark.comfynb_sandbox(seed=8, history=3, speed=500, no_credits=True)
def test_a_mark_turns_knobs(comfynb_sandbox: Sandbox) -> None:
    """Those that are read at the start, too; the speed is the fixture's own unless it is among them."""
    knobs = comfynb_sandbox.knobs
    assert (knobs.seed, knobs.history, knobs.speed, knobs.no_credits) == (8, 3, 500, True)
    assert len(comfynb_sandbox.world.runs) == 3
    with comfynb.connect() as ws, pytest.raises(comfynb.CreditsError):
        ws.submit("text2img")


WORLD = {"machines": [{"name": "studio"}], "workflows": [{"name": "shoes", "machine": "studio", "inputs": ["prompt"]}]}


@pytest.mark.comfynb_sandbox(world=WORLD, seed=8)
class TestMarksOfAClass:
    """Hold for its tests; the closest one wins, name by name."""

    def test_it_holds(self, comfynb_sandbox: Sandbox) -> None:
        """A world may be a mapping."""
        assert [each.name for each in comfynb_sandbox.world.workflows.values()] == ["shoes"]
        assert comfynb_sandbox.knobs.seed == 8

    @pytest.mark.comfynb_sandbox(world=None)
    def test_the_closest_wins(self, comfynb_sandbox: Sandbox) -> None:
        """None is the sandbox's own world."""
        assert len(comfynb_sandbox.world.workflows) == 8
        assert comfynb_sandbox.knobs.seed == 8


# In test suites of users


@pytest.fixture
def run_suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run pytest in a process of its own, with no plugin but this one: others take seconds to load."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return partial(pytester.runpytest_subprocess, "-p", "comfynb.pytest_plugin", "--strict-markers", timeout=60)


def test_the_world_of_the_configuration_is_in_every_test(
    pytester: pytest.Pytester, run_suite: Callable[..., pytest.RunResult]
) -> None:
    """From the folder of the configuration, wherever the test is; a mark goes from the folder of its test."""
    write_worlds(pytester.path / "tests" / "shoes.toml", pytester.path / "tests" / "deep" / "hats.toml")
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\ncomfynb_world = "tests/shoes.toml"')
    (pytester.path / "tests" / "deep" / "test_names.py").write_text(
        "import comfynb, pytest\n"
        "names = lambda: comfynb.connect().workflows()['name'].tolist()\n"
        "def test_configured(comfynb_sandbox): assert names() == ['shoes']\n"
        "@pytest.mark.comfynb_sandbox(world='hats.toml')\n"
        "def test_marked(comfynb_sandbox): assert names() == ['hats']\n"
        "@pytest.mark.comfynb_sandbox(world=None)\n"
        "def test_own(comfynb_sandbox): assert 'text2img' in names()\n"
        "@pytest.mark.comfynb_sandbox(speed=9)\n"
        "def test_both(comfynb_sandbox): assert (names(), comfynb_sandbox.knobs.speed) == (['shoes'], 9)\n"
    )
    run_suite().assert_outcomes(passed=4)


MISTAKES = {
    "world='gone.toml'": "comfynb_sandbox: The world */gone.toml cannot be read: No such file or directory.*",
    "'my.toml'": "comfynb_sandbox: give everything by name, as in world='my.toml'.",
    "wrld='my.toml'": "comfynb_sandbox: there is no 'wrld'; it takes world, and the knobs broken_workflow, *",
    "port=3011": "comfynb_sandbox: there is no 'port'; it takes world, and *",
    "speed='fast'": "comfynb_sandbox: speed='fast' has to be a number, 0 or more.",
    "world={'machines': [{'nme': 'a'}]}": "*machines?1?.nme: there is no such setting; did you mean 'name'?",
    "world=7": "comfynb_sandbox: world=7 is neither the path of a TOML file nor a mapping.",
}
"""What a mark may say, and what is told of it."""


def test_a_mistake_in_a_mark_is_one_sentence(
    pytester: pytest.Pytester, run_suite: Callable[..., pytest.RunResult]
) -> None:
    """The test does not run, and no traceback of ours is shown."""
    tests = [
        f"@pytest.mark.comfynb_sandbox({mark})\ndef test_{number}(comfynb_sandbox): raise SystemExit\n"
        for number, mark in enumerate(MISTAKES)
    ]
    pytester.makepyfile("import pytest\n" + "".join(tests))
    result = run_suite()
    result.assert_outcomes(errors=len(MISTAKES))
    for words in MISTAKES.values():
        result.stdout.fnmatch_lines([words])
    for noise in ("Traceback", "pytest_plugin.py", "During handling"):
        assert noise not in result.stdout.str()


def test_a_mark_without_the_fixture_is_a_mistake(
    pytester: pytest.Pytester, run_suite: Callable[..., pytest.RunResult]
) -> None:
    """It would have no effect; that of a class or a module is for those of its tests that take it."""
    pytester.makepyfile(
        "import pytest\n"
        "pytestmark = pytest.mark.comfynb_sandbox(history=1)\n"
        "def test_without(): pass\n"
        "def test_with(comfynb_sandbox): assert comfynb_sandbox.knobs.history == 1\n"
        "@pytest.fixture\n"
        "def ours(comfynb_sandbox): return comfynb_sandbox.knobs.history\n"
        "@pytest.mark.comfynb_sandbox(history=2)\n"
        "def test_through_another(ours): assert ours == 2\n"
        "@pytest.mark.comfynb_sandbox(history=2)\n"
        "def test_mistake(): pass\n"
    )
    result = run_suite()
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["comfynb_sandbox: this test has the mark and does not take the fixture of that name."])


def test_a_world_that_is_not_where_the_configuration_says_is_named(
    pytester: pytest.Pytester, run_suite: Callable[..., pytest.RunResult]
) -> None:
    """With the whole path."""
    pytester.makeini("[pytest]\ncomfynb_world = gone.toml")
    pytester.makepyfile("def test_it(comfynb_sandbox): pass")
    result = run_suite()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"comfynb_sandbox: The world {pytester.path}/gone.toml cannot be read: *"])


def test_pytest_lists_the_mark_and_the_setting(run_suite: Callable[..., pytest.RunResult]) -> None:
    """With what they take."""
    run_suite("--markers").stdout.fnmatch_lines(["@pytest.mark.comfynb_sandbox(world=..., *knobs): *"])
    run_suite("--help").stdout.fnmatch_lines(["*comfynb_world (string):*"])


def test_tests_without_it_start_no_sandbox(
    pytester: pytest.Pytester, run_suite: Callable[..., pytest.RunResult]
) -> None:
    """And import nothing of it."""
    pytester.makepyfile("import sys\ndef test_it(): assert not {'comfynb.sandbox.server', 'httpx'} & set(sys.modules)")
    run_suite().assert_outcomes(passed=1)


@pytest.mark.parametrize("ours", [False, True])
def test_the_guide_is_true(pytester: pytest.Pytester, run_suite: Callable[..., pytest.RunResult], ours: bool) -> None:
    """Its tests pass: the first ones on the sandbox's own world, those that name another one on the guide's."""
    guide = GUIDE.read_text(encoding="utf-8")
    (world,) = re.findall(r"```toml\n(\[\[.*?)```", guide, re.DOTALL)
    (setting,) = re.findall(r"```toml\n(\[tool\..*?)```", guide, re.DOTALL)
    blocks = [each for each in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "def test_" in each]
    chosen = [each for each in blocks if ("product shots" in each) is ours]
    assert chosen
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "our_world.toml").write_text(world, encoding="utf-8")
    if ours:
        pytester.makepyprojecttoml(setting)
    pytester.makepyfile("import comfynb\n" + "\n".join(chosen))
    run_suite().assert_outcomes(passed=sum(each.count("def test_") for each in chosen))
