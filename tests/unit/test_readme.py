"""The README shows what really comes."""

import doctest
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_three_steps_of_the_readme_give_what_it_shows() -> None:
    """Its code runs, and its output is the real one."""
    code = README.read_text(encoding="utf-8").replace("```", "")
    examples = doctest.DocTestParser().get_doctest(code, {}, "README", str(README), 0)
    assert len(examples.examples) == 5
    said: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert result.failed == 0, "".join(said)


def test_the_readme_has_both_commands() -> None:
    """Each stands on a line of its own, so that it can be copied."""
    lines = README.read_text(encoding="utf-8").splitlines()
    for end in ("comfynb demo", "-m pytest -n 2", "docs/build.py"):
        assert sum(line.startswith("python3 -m venv") and line.endswith(end) for line in lines) == 1
