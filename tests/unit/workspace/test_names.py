"""`ws.names`, and the table of names in every lookup."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import comfynb
from comfynb.errors import ConfigurationError, InputError
from comfynb.sandbox import Sandbox
from comfynb.warnings import PartialResultWarning

GRAPH = {"1": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}}}
SAMPLE = ["text2img", "inpainting", "super-resolution", "poster_print", "train"]


@pytest.fixture
def named(sandbox: Sandbox, short_looks: None) -> Any:
    """Connect with the example of a table of names."""
    with comfynb.connect(sandbox=sandbox, names=comfynb.example_names()) as ws:
        yield ws


# Lookups


def test_every_lookup_by_name_goes_through_the_table(named: comfynb.Workspace) -> None:
    """Of objects, tables, and what would be sent."""
    for alias in ("upscale", "Super-Resolution", "upscale ESRGAN"):
        assert named.workflow(alias).name == "upscale_esrgan"
        assert named.deployment(alias).workflow_id == named.workflow("upscale_esrgan").id
        assert set(named.versions(alias)["name"]) == {"upscale_esrgan"}
        assert set(named.deployments(workflow=alias)["name"]) == {"upscale_esrgan"}
        assert named.prepare(alias).workflow.name == "upscale_esrgan"
        assert len(named.inputs(alias)) == len(named.inputs("upscale_esrgan"))
        assert len(named.runs(workflow=alias)) == 0


def test_without_a_table_there_is_only_the_rule(ws: comfynb.Workspace) -> None:
    """The example is never used unless it is asked for."""
    assert len(ws.names.in_use) == 0
    with pytest.raises(comfynb.NotFoundError):
        ws.workflow("upscale")
    assert ws.workflow("text_to_image").name == "Text to Image"


def test_an_alias_hides_no_workflow_of_that_name(named: comfynb.Workspace) -> None:
    """Its own name, in any case, stands for the workflow itself, though others have the same standard name."""
    for name in ("text2img", "MAKEIMAGE", "makeimage", "Text to Image", "text to image"):
        assert named.workflow(name).name.casefold() == name.casefold()


def test_workflows_of_one_standard_name_are_reported(named: comfynb.Workspace, sandbox: Sandbox) -> None:
    """With all of them, by their ids; nothing is sent."""
    with pytest.raises(comfynb.AmbiguousNameError, match="fits 3 workflows") as caught:
        named.submit("text-to-image")
    assert {name for name, _ in caught.value.candidates} == {"text2img", "MAKEIMAGE", "Text to Image"}
    assert sandbox.counters.of("POST /run") == 0
    catalog = named.catalog().set_index("name")
    assert any("shares its standard name" in problem for problem in catalog.loc["MAKEIMAGE", "problems"])


def test_an_alias_of_a_workflow_is_no_reason_to_replace_it(named: comfynb.Workspace) -> None:
    """Uploading under an alias makes a new workflow, which then has that name."""
    named.upload_workflow("super-resolution", {"nodes": []}, GRAPH)
    assert named.workflow("super-resolution").name == "super-resolution"
    with pytest.raises(comfynb.AmbiguousNameError):
        named.workflow("upscale")


def test_machines_have_no_aliases(sandbox: Sandbox) -> None:
    """A table of names is about workflows."""
    names = comfynb.NamesTable({"studio_classic_a": ["my machine"]})
    with comfynb.connect(sandbox=sandbox, names=names) as ws, pytest.raises(comfynb.NotFoundError):
        ws.machine("my machine")


def test_standard_names_are_the_tables_everywhere(named: comfynb.Workspace) -> None:
    """In tables, objects, the service and the namespace."""
    for table in (named.workflows(), named.catalog(), named.names.table()):
        assert table.set_index("name").loc["upscale_esrgan", "standard_name"] == "upscale"
    assert named.workflow("upscale_esrgan").standard_name == "upscale"
    assert named.workflows_service.standardize_workflow_name("Train") == "lora_train"
    assert named.names.standardize("Train") == "lora_train"
    assert named.names.standardize(pd.Series(["Train", None])).tolist()[:1] == ["lora_train"]


def test_a_file_is_found_read_again_and_told(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While connected: what changed holds at the next call, tables among them; what broke is an error."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "workflow-names.toml"
    (tmp_path / "pyproject.toml").touch()
    with comfynb.connect(sandbox=sandbox) as ws:
        assert ws.workflows().set_index("name").loc["inpaint", "standard_name"] == "inpaint"
        path.write_text("[names.fill]\naliases = ['inpaint']\n")
        assert ws.workflow("fill").name == "inpaint"
        assert ws.workflows().set_index("name").loc["inpaint", "standard_name"] == "fill"
        assert ws.catalog().set_index("name").loc["inpaint", "standard_name"] == "fill"
        assert ws.names.path == path
        path.write_text("[names.fill]\nalias = ['inpaint']\n")
        with pytest.raises(ConfigurationError, match=r"workflow-names.toml, line 2: \[names.fill\] 'alias' is none of"):
            ws.workflow("inpaint")
        path.unlink()
        assert ws.workflow("inpaint").standard_name == "inpaint"


def test_the_variable_names_a_file(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has to be there; an argument goes before it."""
    path = tmp_path / "ours.toml"
    path.write_text("[names.fill]\naliases = ['inpaint']\n")
    monkeypatch.setenv("COMFYNB_NAMES", str(path))
    with comfynb.connect(sandbox=sandbox) as ws, comfynb.connect(sandbox=sandbox, names=False) as plain:
        assert ws.workflow("fill").name == "inpaint"
        assert len(plain.names.in_use) == 0
    monkeypatch.setenv("COMFYNB_NAMES", str(tmp_path / "nowhere.toml"))
    with pytest.raises(ConfigurationError, match=r"nowhere.toml is no file; COMFYNB_NAMES names it"):
        comfynb.connect(sandbox=sandbox)
    with pytest.raises(ConfigurationError, match=r"nowhere.toml is no file; COMFYNB_NAMES names it"):
        comfynb.WorkflowsService(comfynb.connect(sandbox=sandbox, names=False).workflows_service.client)


# The table of what stands


def test_the_table_has_all_workflows_and_their_collisions(named: comfynb.Workspace) -> None:
    """By standard name, with what decides it."""
    table = named.names.table()
    assert table["standard_name"].is_monotonic_increasing
    assert len(table) == len(named.workflows())
    rows = table.set_index("name")
    assert rows.loc["upscale_esrgan", "origin"] == "alias"
    assert rows.loc["inpaint", ["origin", "collides_with"]].tolist() == ["rule", ()]
    assert {name for name, _ in rows.loc["text2img", "collides_with"]} == {"MAKEIMAGE", "Text to Image"}
    assert table.attrs["kind"] == "standard_names"


# Comparison


def forms(names: list[str], folder: Path) -> dict[str, Any]:
    """Return names in every form in which a database may come."""
    table = pd.DataFrame({"id": range(len(names)), "name": names})
    for ending, write in (("csv", table.to_csv), ("json", table.to_json)):
        write(folder / f"names.{ending}")
    (folder / "records.json").write_text(json.dumps(table.to_dict("records")))
    (folder / "list.json").write_text(json.dumps(names))
    with closing(sqlite3.connect(folder / "names.db")) as connection:
        table.to_sql("workflows", connection, index=False)
        queried = pd.read_sql("select id, name from workflows order by id", connection)
    return {
        "list": names,
        "tuple": tuple(names),
        "set": set(names),
        "generator": (name for name in names),
        "Series": pd.Series(names),
        "Index": pd.Index(names),
        "DataFrame": table,
        "other column": table.rename(columns={"name": "title"}),
        "read_sql": queried,
        "CSV": folder / "names.csv",
        "CSV by text": str(folder / "names.csv"),
        "JSON": folder / "names.json",
        "JSON records": folder / "records.json",
        "JSON list": folder / "list.json",
    }


def test_a_database_comes_in_many_forms(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """And is the same in each of them."""
    expected = ws.names.compare(SAMPLE)
    assert expected.attrs["database"] == "a list"
    for form, database in forms(SAMPLE, tmp_path).items():
        pd.testing.assert_frame_equal(ws.names.compare(database), expected, obj=form)
    assert ws.names.compare(tmp_path / "names.csv").attrs["database"] == "column 'name' of names.csv"


def test_the_comparison_tells_how_names_were_matched(named: comfynb.Workspace) -> None:
    """One row each, with declared columns."""
    table = named.names.compare([*SAMPLE, "MakeImage", "Wallpaper-of-the-day"])
    assert tuple(table.columns) == comfynb.TABLES["names"].names()
    filled = table.fillna({"name": "", "database_name": ""})
    rows = {(row.name, row.database_name): (row.match, row.notes) for row in filled.itertuples(index=False)}
    assert rows["text2img", "text2img"] == ("exact", ("collision",))
    assert rows["MAKEIMAGE", "MakeImage"] == ("case", ("case", "collision"))
    assert rows["wallpaper of the day", "Wallpaper-of-the-day"] == ("rule", ("case", "separators"))
    assert rows["upscale_esrgan", "super-resolution"] == ("alias", ("separators", "words"))
    assert rows["poster print (BROKEN)", "poster_print"] == ("fuzzy", ("separators", "words"))
    assert rows["", "train"] == ("none", ("only on one side",))
    assert rows["Text to Image", ""] == ("none", ("collision", "only on one side"))
    assert table["score"].notna().tolist() == (table["match"] == "fuzzy").tolist()


def test_a_fuzzy_match_is_never_applied(ws: comfynb.Workspace) -> None:
    """It is a row of the table, and nothing else knows of it."""
    table = ws.names.compare(["poster_print"])
    assert table.set_index("name").loc["poster print (BROKEN)", "match"] == "fuzzy"
    with pytest.raises(comfynb.NotFoundError):
        ws.workflow("poster_print")
    suggested = ws.names.suggest(["poster_print"]).table
    assert suggested.standardize("poster_print") == "poster_print"
    assert "poster_print" not in {row.database for row in suggested.rows.values()}


def test_cells_without_a_name_are_left_out_and_reported(ws: comfynb.Workspace) -> None:
    """Missing, blank, no text; and what is there twice."""
    cells = ["inpaint", None, "  ", 7, pd.NA, "inpaint", float("nan"), ["x"], pd.NaT, b"x"]
    with pytest.warns(PartialResultWarning, match=r"left out: 4 of 10 cells are empty: cells 2, 5, 7, 9; ") as caught:
        table = ws.names.compare(cells)
    assert Path(caught[0].filename) == Path(__file__)
    assert table.attrs["remarks"] == [
        "4 of 10 cells are empty: cells 2, 5, 7, 9",
        "1 of 10 cells is blank: cell 3",
        "3 of 10 cells are no text but bytes, int, list: cells 4, 8, 10",
        "'inpaint' is there 2 times",
    ]
    assert table.set_index("name").loc["inpaint", "notes"] == ("duplicate",)
    assert table["database_name"].count() == 1


def test_names_that_look_like_nothing_are_names(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """A workflow may be called None, NA or 007."""
    path = tmp_path / "names.csv"
    path.write_text("\ufeffname,x\nNone,1\nNA,2\n007,3\n", encoding="utf-8")
    assert ws.names.compare(path)["database_name"].dropna().tolist() == ["007", "NA", "None"]


def test_the_column_of_a_table(ws: comfynb.Workspace) -> None:
    """`name`, else the first that has texts, else the one that is named."""
    table = pd.DataFrame({"n": [1, 2], "title": ["inpaint", "x"], "slug": ["text2img", "y"]})
    assert ws.names.compare(table).attrs["database"] == "column 'title' of a table"
    found = ws.names.compare(table, column="slug")
    assert found.set_index("name").loc["text2img", "match"] == "exact"
    twice = pd.DataFrame([["inpaint", "x"]], columns=["name", "name"])
    assert ws.names.compare(twice).set_index("name").loc["inpaint", "match"] == "exact"


@pytest.mark.parametrize(
    ("database", "column", "told"),
    [
        (pd.DataFrame({"a": [1], "b": [2.5]}), None, "No column of the table has texts; .* Its columns: 'a', 'b'."),
        (pd.DataFrame({"a": ["x"], 7: ["y"]}), "name", "The table has no column 'name'; its columns: 'a', '7'."),
        (pd.DataFrame(), None, "Its columns: none."),
        (["x"], "name", "column='name' is for tables; a list has no columns."),
        ({"name": ["x"]}, None, "A dict is no list of names; give a list"),
        (b"name", None, "A bytes is no list of names"),
        (7, None, "A int is no list of names"),
        ("text2img", None, "'text2img' is no CSV, JSON or Parquet file; names by themselves are given as a list."),
        ("nowhere.csv", None, "There is no file 'nowhere.csv'."),
    ],
)
def test_what_is_no_database_is_an_error(ws: comfynb.Workspace, database: Any, column: str | None, told: str) -> None:
    """That says what may be given, and which columns there are."""
    with pytest.raises(InputError, match=told):
        ws.names.compare(database, column=column)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", b"{"),
        ("x.json", b"7"),
        ("x.json", b'{"a": 1}'),
        ("x.csv", b""),
        ("x.csv", b"a,b\n1,2,3\n4\n5,6,7,8\n"),
        ("x.csv", b"name\n\xff\xfe\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error(
    ws: comfynb.Workspace, tmp_path: Path, name: str, content: bytes
) -> None:
    """Of ours, in one line."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        ws.names.compare(path)
    assert len(str(caught.value).splitlines()) == 1


def test_parquet_needs_pyarrow(ws: comfynb.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says so where that is not installed."""
    path = tmp_path / "names.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"names.parquet is a Parquet file, which needs pyarrow"):
        ws.names.compare(path)


def test_hostile_names_do_no_harm(ws: comfynb.Workspace) -> None:
    """In the table as they are; in what is displayed without their markup and control characters."""
    hostile = ["<script>alert(1)</script>", "\x1b[31mred", "a\u202eb", "x" * 5000, "\ud800", "[link](javascript:x)"]
    listed = set(ws.names.compare(hostile)["database_name"].dropna())
    assert set(hostile) - {"\ud800"} <= listed  # with pyarrow, half a character cannot stand in a table
    suggestion, review = ws.names.suggest(hostile), ws.names.review(hostile)
    for thing in (suggestion, review):
        assert "<script>" not in thing._repr_html_()
        assert "\x1b" not in repr(thing)
        assert "\u202e" not in repr(thing)
    assert "\x1b" not in suggestion.toml()
    suggestion.toml().encode()


def test_an_empty_workspace_compares_too(empty: comfynb.Workspace) -> None:
    """Everything is on one side."""
    assert set(empty.names.compare(SAMPLE)["match"]) == {"none"}
    assert len(empty.names.compare([])) == 0
    assert len(empty.names.table()) == 0
    assert "There are no names." in repr(empty.names.suggest())


# Going back


def test_source_names_go_back(sandbox: Sandbox) -> None:
    """To the API by the workflows, or by what the table says of it; to the database by the table."""
    upscale = {"aliases": ["upscale_esrgan"], "database": "super"}
    names = comfynb.NamesTable({"upscale": upscale, "gone": {"api": "Gone"}, "text2img": ["makeimage"]})
    with comfynb.connect(sandbox=sandbox, names=names) as ws:
        assert ws.names.source_name("upscale", "api") == "upscale_esrgan"
        assert ws.names.source_name("Upscale ESRGAN", "database") == "super"
        assert ws.names.source_name("img2vid_wan_2_1", "api") == "img2vid - wan 2.1"
        assert ws.names.source_name("text2img", "api") == "text2img"
        with pytest.raises(comfynb.NotFoundError, match=r"does not say what the database calls 'text2img': database ="):
            ws.names.source_name("text2img", "database")
        with pytest.raises(comfynb.NotFoundError, match="No workflow is called 'Gone', which the table"):
            ws.names.source_name("gone", "api")
        with pytest.raises(comfynb.AmbiguousNameError, match="fits 2 workflows"):
            ws.workflow("text2img!")
        with pytest.raises(InputError, match="'file' is no source of names"):
            ws.names.source_name("upscale", "file")  # type: ignore[arg-type]


def test_a_source_name_of_two_workflows_is_reported(sandbox: Sandbox) -> None:
    """Since either might be meant."""
    with comfynb.connect(sandbox=sandbox, names=comfynb.NamesTable({"fill": {"api": "inpaint"}})) as ws:
        assert ws.names.source_name("fill", "api") == "inpaint"
        sandbox.world.workflows[ws.workflow("text2img").id].name = "inpaint"
        ws.reload()
        with pytest.raises(comfynb.AmbiguousNameError, match="2 workflows are called 'inpaint'"):
            ws.names.source_name("fill", "api")


# Suggestions


def test_a_suggestion_is_a_file_that_can_be_used(named: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path) -> None:
    """What is sure holds at once; what has to be decided is a comment, of which one is taken up."""
    suggestion = named.names.suggest(SAMPLE)
    path = tmp_path / "names.toml"
    path.write_text(suggestion.toml(), encoding="utf-8")
    with comfynb.connect(sandbox=sandbox, names=path) as ws:
        assert ws.names.in_use == suggestion.table
        assert ws.names.source_name("inpaint", "database") == "inpainting"
        assert ws.names.standardize("makeimage") == "text2img"
        decided = suggestion.toml().replace("# [names.poster_print_broken]", "[names.poster_print]")
        for key in ("api", "database"):
            decided = decided.replace(f'# {key} = "poster', f'{key} = "poster')
        path.write_text(decided, encoding="utf-8")
        assert ws.workflow("poster print").name == "poster print (BROKEN)"


def test_a_suggestion_without_a_database_has_the_workflows(ws: comfynb.Workspace) -> None:
    """Nothing is left to decide but collisions."""
    suggestion = ws.names.suggest()
    assert suggestion.table.source_name("img2vid_wan_2_1", "api") == "img2vid - wan 2.1"
    assert all(row.sure for row in suggestion.rows)
    ws.upload_workflow("Text2Img", {"nodes": []}, GRAPH)
    again = ws.names.suggest()
    assert {row.api.name for row in again.rows if row.api and not row.sure} == {"text2img", "Text2Img"}
    assert "text2img" not in again.table


# The twin


def test_the_twin_gives_the_same(ws: comfynb.Workspace) -> None:
    """From another event loop; what asks nothing of the server has none."""

    async def main() -> None:
        pd.testing.assert_frame_equal(await ws.aio.names.compare(SAMPLE), ws.names.compare(SAMPLE))
        pd.testing.assert_frame_equal(await ws.aio.names.table(), ws.names.table())
        assert (await ws.aio.names.suggest()).toml() == ws.names.suggest().toml()
        assert await ws.aio.names.source_name("inpaint", "api") == "inpaint"

    asyncio.run(main())
    assert not hasattr(ws.aio.names, "standardize")


def test_it_shows_what_holds(named: comfynb.Workspace, ws: comfynb.Workspace) -> None:
    """As text and as HTML."""
    for shown in (repr(named.names), named.names._repr_html_()):
        assert "makeimage, text-to-image" in shown
    assert "by the rule alone" in repr(ws.names)
    assert "<table>" in named.names._repr_html_()


def test_looking_names_up_loads_nothing_heavy() -> None:
    """Neither pandas nor rapidfuzz nor tomlkit, before they are needed."""
    code = (
        "import comfynb, sys; from comfynb.names_files import NamesInUse; NamesInUse(comfynb.example_names()).get();"
        "comfynb.standardize_workflow_name('a b', comfynb.example_names());"
        "print(sorted({'pandas', 'rapidfuzz', 'tomlkit', 'ipywidgets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "[]"
