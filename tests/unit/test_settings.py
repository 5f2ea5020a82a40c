"""Settings come from arguments, the environment and `.env`, and nothing is sent on connect."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from faults import KEY, RawServer

import comfynb
from comfynb.errors import ConfigurationError
from comfynb.settings import check_key, find_upwards, read_settings
from comfynb.warnings import UnencryptedWarning


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a folder for notebooks, in which the kernel runs."""
    (tmp_path / "pyproject.toml").touch()
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    monkeypatch.chdir(notebooks)
    return tmp_path


def key() -> str | None:
    """Return the key that is found."""
    found = read_settings().api_key
    return found.get_secret_value() if found is not None else None


# The environment and .env


def test_without_any_setting_the_hosted_service_is_meant(project: Path) -> None:
    """No key, no webhook, no sandbox."""
    found = read_settings()
    assert (found.api_key, found.webhook_url, found.sandbox) == (None, None, False)
    assert found.api_url == "https://api.comfydeploy.com"


def test_all_settings_come_from_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four variables."""
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", KEY)
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", "http://localhost:3011/api")
    monkeypatch.setenv("WEBHOOK_URL", "https://hooks.example/a")
    monkeypatch.setenv("COMFYNB_SANDBOX", "1")
    found = read_settings()
    assert key() == KEY
    assert (found.api_url, found.webhook_url, found.sandbox) == (
        "http://localhost:3011/api",
        "https://hooks.example/a",
        True,
    )


def test_the_file_of_the_project_is_found_from_the_notebooks(project: Path) -> None:
    """Kernels run in the folder of their notebook; the file stands some folders up."""
    (project / ".env").write_text(f"COMFY_DEPLOY_API_KEY={KEY}\nUNRELATED=1\n")
    assert key() == KEY


def test_the_nearest_file_counts(project: Path) -> None:
    """And it alone."""
    (project / ".env").write_text("COMFY_DEPLOY_API_KEY=far\nWEBHOOK_URL=https://far.example\n")
    (project / "notebooks" / ".env").write_text("COMFY_DEPLOY_API_KEY=near\n")
    assert key() == "near"
    assert read_settings().webhook_url is None


@pytest.mark.parametrize("border", [".git", "pyproject.toml"])
def test_the_search_ends_at_the_project(tmp_path: Path, border: str) -> None:
    """What stands above it belongs to something else."""
    inner = tmp_path / "project" / "notebooks"
    inner.mkdir(parents=True)
    (tmp_path / ".env").touch()
    assert find_upwards(".env", inner) == tmp_path / ".env"
    (tmp_path / "project" / border).mkdir()
    assert find_upwards(".env", inner) is None


def test_a_folder_of_that_name_is_no_file(project: Path) -> None:
    """A virtual environment may be called so."""
    (project / ".env").mkdir()
    assert key() is None


def test_the_environment_goes_before_the_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it is empty, which counts as not set."""
    (project / ".env").write_text("COMFY_DEPLOY_API_KEY=file\nCOMFYNB_SANDBOX=\nWEBHOOK_URL=\n")
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", "environment")
    assert key() == "environment"
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", "")
    assert key() == "file"
    assert (read_settings().sandbox, read_settings().webhook_url) == (False, None)


@pytest.mark.parametrize(
    "line",
    [
        "COMFY_DEPLOY_API_KEY={}",
        'COMFY_DEPLOY_API_KEY="{}"',
        "export COMFY_DEPLOY_API_KEY='{}'",
        "COMFY_DEPLOY_API_KEY = {}",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_files_are_written_in_several_ways(project: Path, line: str, encoding: str) -> None:
    """With quotes, with `export`, with blanks, with the mark that Windows editors put first."""
    (project / ".env").write_text(line.format(KEY) + "\r\n", encoding=encoding)
    assert key() == KEY


def test_a_file_that_cannot_be_read_is_named(project: Path) -> None:
    """Its content, which may hold the key, is not in the message."""
    (project / ".env").write_text(f"COMFY_DEPLOY_API_KEY={KEY}", encoding="utf-16")
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read: .*can't decode") as caught:
        read_settings()
    assert KEY[:10] not in str(caught.value)


def test_a_value_that_makes_no_sense_names_its_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, without a traceback of pydantic."""
    monkeypatch.setenv("COMFYNB_SANDBOX", "perhaps")
    with pytest.raises(ConfigurationError, match=r"^COMFYNB_SANDBOX cannot be read: .*boolean.*\.$") as caught:
        read_settings()
    assert caught.value.__cause__ is None


@pytest.mark.skipif(os.name != "posix", reason="other systems keep the folder of a process")
def test_a_working_directory_that_is_gone_is_said(tmp_path: Path) -> None:
    """A notebook's folder may be renamed under it."""
    code = (
        "import os, sys; os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])\n"
        "import comfynb\n"
        "try: comfynb.connect(api_key='a-good-key')\n"
        "except comfynb.ConfigurationError as error: print(error)"
    )
    python_path = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": python_path}
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "gone")],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert "The working directory cannot be read" in found.stdout, found.stderr


# The key


@pytest.mark.parametrize(
    "pasted",
    [KEY, f" {KEY}\n", f'"{KEY}"', f"'{KEY}' ", f"Bearer {KEY}", f"bearer  {KEY}", f'"Bearer {KEY}"'],
)
def test_a_key_is_taken_as_it_is_pasted(pasted: str) -> None:
    """With blanks, quotes, or the word that goes before it in the header."""
    assert check_key(pasted).get_secret_value() == KEY


@pytest.mark.parametrize(
    "wrong",
    ["", "  ", '""', "Bearer ", "two words", "line\nbreak", "line\r\nX-Evil: 1", "nul\x00", "schlüssel", "a\tb"],
)
def test_a_key_that_cannot_be_sent_is_refused(wrong: str) -> None:
    """It would break the header; the message says where keys are, and does not repeat it."""
    with pytest.raises(ConfigurationError, match=r"API Keys section of your ComfyDeploy account") as caught:
        check_key(wrong)
    assert wrong.strip() == "" or wrong not in str(caught.value)


# Connecting


def test_without_a_key_the_error_says_all_three_ways_out(project: Path) -> None:
    """The variable, where keys are made, and the sandbox."""
    with pytest.raises(ConfigurationError) as caught:
        comfynb.connect()
    message = str(caught.value)
    for part in ("COMFY_DEPLOY_API_KEY", ".env", "api_key=", "https://www.comfydeploy.com/api-keys", "sandbox=True"):
        assert part in message


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_key_is_none(project: Path, monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    """A variable that is set to nothing, as CI does for a secret that is not there."""
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", empty)
    with pytest.raises(ConfigurationError, match="No API key"):
        comfynb.connect()


def test_nothing_is_sent_on_connect(project: Path) -> None:
    """Not even to see whether the server is there."""
    with RawServer(lambda _: b"") as server:
        workspace = comfynb.connect(server.url, KEY)
        repr(workspace)
        assert server.connections == 0


def test_a_key_that_anybody_on_its_way_could_read_is_said(project: Path) -> None:
    """Where the server is another machine and there is no TLS; not for this machine, nor where no key is sent."""
    with pytest.warns(UnencryptedWarning, match=r"goes to http://10\.1\.2\.3:3011 without TLS") as told:
        comfynb.connect("http://10.1.2.3:3011/api", KEY)
    assert told[0].filename == __file__
    for url in ("https://10.1.2.3:3011", "http://localhost:3011", "http://127.0.0.1", "http://[::1]:3011"):
        comfynb.connect(url, KEY)
    comfynb.connect("http://10.1.2.3:3011", KEY, offline=True)


def test_arguments_go_before_everything(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are for what is not given."""
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", "from-the-environment")
    monkeypatch.setenv("COMFY_DEPLOY_API_URL", "https://environment.example")
    monkeypatch.setenv("COMFYNB_SANDBOX", "1")
    assert "https://argument.example" in repr(comfynb.connect("https://argument.example/api"))
    assert "https://environment.example" in repr(comfynb.connect(api_key=KEY))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "ftp://host"}, "is not the address of a server"),
        ({"url": KEY}, "looks like an API key"),
        ({"timeout": 0}, "timeout=0 has to be more than 0"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"max_concurrent": -1}, "max_concurrent=-1"),
        ({"retries": -1}, "retries=-1 must not be negative"),
        ({"cache_ttl": -0.5}, "cache_ttl"),
        ({"loop": "other"}, "loop='other' is unknown"),
        ({"sandbox": True}, "not both"),
    ],
)
def test_an_option_that_cannot_work_is_said_at_once(project: Path, options: dict[str, Any], words: str) -> None:
    """Before anything is started."""
    with pytest.raises(ConfigurationError, match=words):
        comfynb.connect(**{"api_key": KEY, **options})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": 5}, "url= has to be a text, not int"),
        ({"url": b"http://host"}, "url= has to be a text, not bytes"),
        ({"api_key": b"s3cret-s3cret"}, "api_key= has to be a text, not bytes"),
        ({"api_key": 5308417}, "api_key= has to be a text, not int"),
        ({"webhook": 5}, "webhook= has to be a text"),
        ({"timeout": "x"}, "timeout= has to be a number, not str"),
        ({"timeout": None}, "timeout= has to be a number, not NoneType"),
        ({"retries": "1"}, "retries= has to be a number"),
        ({"cache_ttl": "x"}, "cache_ttl= has to be a number"),
        ({"machines_ttl": []}, "machines_ttl= has to be a number"),
        ({"oldest": "x"}, "oldest= has to be a number"),
        ({"max_rate": "5"}, "max_rate= has to be a number"),
        ({"max_cost": "5"}, "max_cost= has to be a number"),
        ({"max_runs": "3"}, "max_runs= has to be a whole number, not str"),
        ({"max_runs": True}, "max_runs= has to be a whole number, not bool"),
        ({"max_concurrent": 1.5}, "max_concurrent= has to be a whole number, not float"),
        ({"journal": b"x"}, "journal= has to be True, False or the path of a file"),
        ({"snapshot": 5}, "snapshot= has to be the path of a file"),
        ({"routing": 5}, "routing= has to be the path of a file, a mapping or False"),
        ({"sandbox": "yes"}, "sandbox= has to be True, False or a Sandbox"),
        ({"cache": None}, "cache= is unknown"),
        ({"cache": b"disk"}, "cache= is unknown"),
    ],
)
def test_an_option_of_another_type_is_named(project: Path, options: dict[str, Any], words: str) -> None:
    """In a sentence of ours, which does not say what it is: it may be a key in the wrong place."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        comfynb.connect(**{"api_key": KEY, **options})
    assert "s3cret" not in str(caught.value)
    assert "5308417" not in str(caught.value)


def test_numbers_of_other_libraries_are_numbers(project: Path) -> None:
    """As they come out of tables and of what counts money."""
    numpy = pytest.importorskip("numpy")
    options = {"max_runs": numpy.int64(3), "timeout": numpy.float64(5.0), "max_cost": Decimal("2.50")}
    assert "https://api.comfydeploy.com" in repr(comfynb.connect(api_key=KEY, **options))


def test_an_unknown_option_is_an_error(project: Path) -> None:
    """A misspelt one does not pass silently."""
    with pytest.raises(TypeError, match="time_out"):
        comfynb.connect(api_key=KEY, time_out=5)  # type: ignore[call-arg]
