"""Rules of routing: what a file may say, every problem with it at once, and which rule holds for a name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.errors import ConfigurationError
from comfynb.rules.naming import standardize_workflow_name
from comfynb.rules.routing import RoutingRules
from comfynb.rules_files import RulesFile

HANDOFF = """
routingRules.text2img = 'machine-id-1'
routingRules.inpaint = 'machine-id-2'
defaultMachine = 'machine-id-default'
"""


def read(folder: Path, text: str) -> RoutingRules:
    """Return the rules of a file."""
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    file = RulesFile.read(path)
    return RoutingRules(file.data, locate=file.problem)


def machines(rules: RoutingRules, name: str) -> tuple[str, ...] | None:
    """Return the machines that the rules have for a standard name."""
    rule = rules.match(name)
    return None if rule is None else rule.machines


# What a file may say


@pytest.mark.parametrize(
    "text",
    [
        HANDOFF,
        "[routingRules]\ntext2img = 'machine-id-1'\ninpaint = 'machine-id-2'\ndefaultMachine = 'machine-id-default'\n",
        "default_machine = 'machine-id-default'\n"
        "[routing_rules]\ntext2img = 'machine-id-1'\ninpaint = 'machine-id-2'\n",
        "[routing_rules]\ntext2img = ['machine-id-1']\ninpaint = {machines = 'machine-id-2'}\n"
        "default_machine = 'machine-id-default'\n",
    ],
    ids=["word for word", "as a table", "spelled as TOML is", "the default below the heading"],
)
def test_the_settings_of_a_script_are_taken_as_they_are(tmp_path: Path, text: str) -> None:
    """In its spelling and in ours; what follows a heading in TOML is in its table, and is meant all the same."""
    rules = read(tmp_path, text)
    assert machines(rules, "text2img") == ("machine-id-1",)
    assert machines(rules, "inpaint") == ("machine-id-2",)
    assert rules.default_machine == ("machine-id-default",)
    assert len(rules.rules) == 2


def test_a_rule_may_be_a_table_with_settings_of_its_own(tmp_path: Path) -> None:
    """What it does not say, the rules as a whole say; without a word, nothing runs elsewhere than was said."""
    text = """
    require_gpu = "A10G"
    environment = "staging"
    when_unavailable = "deployment"
    [routing_rules.upscale]
    machines = ["farm-1", "farm-2", "farm-1"]
    require_gpu = ["H100", "A100"]
    environment = "production"
    when_unavailable = "any-ready"
    """
    rules = read(tmp_path, text)
    rule = rules.match("upscale")
    assert rule is not None
    assert rule.machines == ("farm-1", "farm-2")
    assert (rule.require_gpu, rule.environment, rule.when_unavailable) == (("H100", "A100"), "production", "any-ready")
    assert (rules.require_gpu, rules.environment, rules.when_unavailable) == (("A10G",), "staging", "deployment")
    assert RoutingRules().when_unavailable == "fail"


@pytest.mark.parametrize("content", [{}, {"routing_rules": {}}, {"default_machine": "a"}])
def test_rules_may_be_few(content: dict[str, Any]) -> None:
    """No name has one then."""
    assert RoutingRules(content).match("text2img") is None


# Which rule holds


def test_names_come_before_globs_and_specific_globs_before_others() -> None:
    """Whatever their order in the file; of two that are as specific the first one holds."""
    rules = RoutingRules(
        {"routing_rules": {"*": "any", "up*": "up", "upscale_?x": "one", "up?cale_4*": "two", "upscale_4x": "exact"}}
    )
    names = {"upscale_4x": "exact", "upscale_2x": "one", "upscale_4y": "two", "upper": "up", "inpaint": "any"}
    assert {name: machines(rules, name) for name in names} == {name: (machine,) for name, machine in names.items()}
    twins = RoutingRules({"routing_rules": {"a?c": "first", "?bc": "second"}})
    assert machines(twins, "abc") == ("first",)
    assert machines(RoutingRules({"routing_rules": {"?bc": "second", "a?c": "first"}}), "abc") == ("second",)


@pytest.mark.parametrize("key", ["img2vid - wan 2.1", "IMG2VID_WAN_2.1", "Img2Vid - Wan *", "*wan 2.?", "img2vid*"])
def test_keys_are_spelled_as_people_spell_names(key: str) -> None:
    """A rule is found by the standard name, whatever its case and separators, globs among them."""
    rules = RoutingRules({"routing_rules": {key: "a"}})
    assert machines(rules, "img2vid_wan_2_1") == ("a",)
    assert machines(rules, "img3vid") is None


def test_brackets_are_no_wildcards() -> None:
    """Many names have them."""
    rules = RoutingRules({"routing_rules": {"poster [v2]": "a"}})
    assert machines(rules, standardize_workflow_name("Poster (v2)")) == ("a",)


def test_names_are_standardised_by_whom_is_asked() -> None:
    """So that aliases hold for rules, too."""
    rules = RoutingRules(
        {"routing_rules": {"makeimage": "a"}}, standardize=lambda name: {"makeimage": "text2img"}[name]
    )
    assert machines(rules, "text2img") == ("a",)


@given(st.lists(st.text("ab_*?", min_size=1, max_size=6), max_size=8), st.text("ab_", min_size=1, max_size=8))
def test_the_glob_that_holds_is_the_most_specific_one_that_fits(globs: list[str], name: str) -> None:
    """As one would find out by trying them all."""
    from fnmatch import fnmatchcase

    keys = list(
        dict.fromkeys(standard for glob in globs if (standard := glob.strip("_")) and set(standard) & set("*?"))
    )
    keys = [key for key in keys if "__" not in key and "_" not in key]
    rules = RoutingRules({"routing_rules": {key: key for key in keys}})
    fitting = [rule.machines[0] for rule in rules.rules if fnmatchcase(name, rule.pattern)]
    found = machines(rules, name)
    if not fitting:
        assert found is None
    else:
        assert found == (max(fitting, key=lambda glob: len(glob) - glob.count("*") - glob.count("?")),)


def test_many_stars_do_not_take_for_ever() -> None:
    """A glob is no way to stop the program."""
    rules = RoutingRules({"routing_rules": {"a" + "*" * 200 + "b": "x", "*a*a*a*a": "y"}})
    begun = time.perf_counter()
    assert rules.match("a" * 300) is not None
    assert rules.match("c" * 5000) is None
    assert time.perf_counter() - begun < 2


# What is wrong


def test_every_problem_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    """And with the nearest name for what is mistyped."""
    text = """defaultMachine = "a"
wen_unavailable = "fail"
[routing_rules]
"Text2Img" = ["a", 3]
text2img = "b"
"!!!" = "x"
default_machine = "z"
none = []
[routing_rules.inpaint]
machine = "z"
environment = "prodution"
when_unavailable = "wait"
"""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    first, *lines = str(caught.value).splitlines()
    assert first == "The routing rules have 9 problems:"
    path = tmp_path / "rules.toml"
    for number, words in [
        (2, "'wen_unavailable' is no setting; did you mean when_unavailable?"),
        (7, "'default_machine' stands above [routing_rules], too; keep one of them."),
        (4, "A machine is a name in quotes, or a list of them; this is 3, no text."),
        (5, "'text2img' and 'Text2Img' have one standard name, 'text2img'; keep one of them."),
        (6, "'!!!' is no workflow's name: it has neither a letter nor a digit."),
        (8, "The list is empty; it has to name a machine at least."),
        (10, "'machine' is no setting of a rule; did you mean machines?"),
        (11, "There is no environment 'prodution'; there are: production, staging,"),
        (12, 'when_unavailable is \'wait\'; it can be "any-ready", "deployment", "fail".'),
    ]:
        assert any(line.startswith(f"  {path}, line {number}: {words}") for line in lines), words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("routing_rules = 'a'", "line 1: routing_rules has to be a table: [routing_rules]"),
        ("[routing_rules]\nwan2.1 = 'a'", "line 2: '1' is no setting of a rule; there are machines"),
        ("[routing_rules]\nwan2.1 = 'a'", "A name with a dot is written in quotes."),
        ("text2img = 'a'", "line 1: 'text2img' is no setting; a rule for a workflow of that name belongs below"),
        (
            "[routing_rules.a]\nmachines = 'x'\ndefault_machine = 'y'",
            "line 3: 'default_machine' is no setting of a rule",
        ),
        ("[routing_rules]\nwhen_unavailable = 'fail'", "below [routing_rules] it would be a rule; write it above"),
        ("default_machine = 1\n", "line 1: A machine is a name in quotes, or a list of them; this is 1, no text."),
        ("default_machine = ' '\n", "line 1: A machine is a name in quotes, or a list of them; this is empty."),
        ("require_gpu = true\n", "line 1: A gpu is a name in quotes"),
        ("defaultMachine = 'a'\ndefault_machine = 'b'\n", "line 2: default_machine and defaultMachine are the same"),
        ("[routing_rules]\n[routingRules]\n", "line 2: routingRules and routing_rules are the same setting"),
        ("[routing_rules]\n'up*' = 'a'\n'UP*' = 'b'\n", "line 3: 'UP*' and 'up*' have one standard name, 'up*'"),
        ("x = 1979-05-27\n", "line 1: 'x' is no setting; there are default_machine"),
    ],
)
def test_a_problem_says_where_what_and_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    """One alone is one sentence."""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "problems" not in str(caught.value)


def test_rules_without_a_file_name_the_key() -> None:
    """There is no line then."""
    with pytest.raises(ConfigurationError, match=r"routing_rules\.a\.when_unavailable: when_unavailable is 3"):
        RoutingRules({"routing_rules": {"a": {"when_unavailable": 3}}})


def test_a_hostile_key_moves_no_cursor() -> None:
    """It comes from a file that somebody else may have written."""
    with pytest.raises(ConfigurationError) as caught:
        RoutingRules({"\x1b[2J\u202eevil": 1.5})
    assert "\x1b" not in str(caught.value)
    assert "\u202e" not in str(caught.value)


def test_a_thousand_rules_are_read_in_no_time_and_told_by_their_lines(tmp_path: Path) -> None:
    """Well under a second, problems included."""
    rows = [f"flow_{number} = ['gpu-{number % 500}', 'gpu-{number * 7 % 500}']" for number in range(1000)]
    begun = time.perf_counter()
    rules = read(tmp_path, "\n".join(["[routing_rules]", *rows]))
    taken = time.perf_counter() - begun
    assert len(rules.rules) == 1000
    assert taken < 1.0
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, "\n".join(["[routing_rules]", *rows, *(f"bad_{number} = 3" for number in range(100))]))
    assert "line 1101: A machine is a name in quotes" in str(caught.value)
    assert time.perf_counter() - begun < 3.0
