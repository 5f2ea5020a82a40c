"""Each command does its work: `workflow`, `api`, `demo`, `sandbox`, `lab`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from command_line import COMMAND, Command
from PIL import Image

import comfynb
from comfynb.sandbox import Sandbox

# comfynb workflow


def test_without_execute_nothing_is_submitted(cli: Command, sandbox: Sandbox) -> None:
    """It shows what would be sent."""
    done = cli("workflow", "text2img", "--input", "prompt=a red fox", "-i", "seed=7")
    assert done.code == 0
    assert "ready to submit – a run of text2img" in done.out
    assert "'a red fox'" in done.out
    assert sandbox.counters.of("POST") == 0


def test_with_execute_it_runs_waits_and_saves(cli: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    """And says the status, the id, the inputs and where the picture is."""
    done = cli("workflow", "-i", "prompt=a red fox", "-i", "width=256", "--execute", "--download", "pictures")
    assert done.code == 0, done.err
    (run,) = (r for r in sandbox.world.runs.values() if r.inputs.get("width") == 256)
    for part in ("success", run.id, "a red fox", "Saved pictures"):
        assert part in done.out
    (path,) = (tmp_path / "pictures").glob("*.png")
    assert run.id in (tmp_path / "pictures" / "manifest.json").read_text()
    Image.open(path).load()
    assert "text2img runs on studio-classic-a" in done.err
    assert sandbox.counters.runs_created == 1


def test_the_default_workflow_is_text2img(cli: Command) -> None:
    """As the usage says."""
    assert "a run of text2img" in cli("workflow").out


def test_another_machine_version_and_environment_can_be_named(cli: Command, sandbox: Sandbox) -> None:
    """And are used."""
    done = cli("workflow", "text2img", "--machine", "serverless-h100", "--version", "1", "--execute", "--json")
    run = sandbox.world.runs[json.loads(done.out)["run_id"]]
    assert run.machine_id == sandbox.world.machine_named("serverless-h100").id
    assert "staging deployment" in cli("workflow", "text2img", "--environment", "staging", "--json").out


def test_values_may_hold_equals_signs_spaces_and_lists(cli: Command) -> None:
    """A name may have spaces, a value anything; what looks like a list and is none is a text."""
    done = cli(
        "workflow", "MAKEIMAGE", "-i", "PROMPT=[a=b] c", "-i", "Negative Prompt=", "-i",
        'reference_images=["https://host/a.png"]', "-i", "hires=true", "-i", "cfg=5", "--json",
    )  # fmt: skip
    inputs = json.loads(done.out)["request"]["body"]["inputs"]
    assert inputs["PROMPT"] == "[a=b] c"
    assert (inputs["Negative Prompt"], inputs["hires"], inputs["cfg"]) == ("", True, 5.0)
    assert inputs["reference_images"] == ["https://host/a.png"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("workflow", "text2img"), 0),
        (("workflow", "text2img", "-i", "width=wide"), 2),
        (("workflow", "upscale_esrgan"), 1),
        (("workflow", "text2img", "-i", "seed=7", "--execute"), 0),
        (("workflow", "text2img", "-i", "prompt=__fail__", "--execute"), 1),
        (("workflow", "text2img", "-i", "prompt=__freeze__", "--execute", "--timeout", "0.1"), 1),
    ],
)
def test_json_is_all_that_stands_on_standard_output(cli: Command, words: tuple[str, ...], code: int) -> None:
    """So that a program can read it; the exit code says how it ended."""
    done = cli(*words, "--json")
    assert done.code == code
    value = json.loads(done.out)
    assert value.keys() >= ({"run_id", "status", "outputs", "why"} if "--execute" in words else {"request", "problems"})
    assert "Traceback" not in done.err


def test_json_tells_why_a_run_did_not_end_well(cli: Command) -> None:
    """Also when the waiting ended first, with the id of the run that goes on."""
    failed = json.loads(cli("workflow", "-i", "prompt=__fail__", "--execute", "--json").out)
    assert (failed["status"], "CUDA out of memory" in failed["why"]) == ("failed", True)
    late = json.loads(cli("workflow", "-i", "prompt=__freeze__", "--execute", "--json", "--timeout", "0.1").out)
    assert "may be billing" in late["why"]
    assert late["run_id"] in late["why"]


def test_a_failed_run_says_why_on_standard_error(cli: Command) -> None:
    """And exits with 1."""
    done = cli("workflow", "poster print (BROKEN)", "--execute")
    assert done.code == 1
    assert "failed at ImageScale (node 3)" in done.err
    assert "ran out of memory" in done.said


def test_a_run_that_was_recovered_is_noted(cli: Command, sandbox: Sandbox) -> None:
    """A warning is one line, without the file and the line that raised it."""
    sandbox.knobs.offline = {"studio-classic-a"}
    done = cli("workflow", "--execute")
    assert done.code == 1
    assert "Note: " in done.err
    assert "was found in the run list" in done.said
    assert ".py" not in done.err


def test_ctrl_c_ends_the_waiting_and_not_the_run(cli: Command, sandbox: Sandbox) -> None:
    """The id stands there, and the exit code is that of an interrupt."""
    sandbox.knobs.speed = 0

    def press() -> None:
        while sandbox.counters.of("GET /run/") == 0:
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)

    person = threading.Thread(target=press)
    person.start()
    done = cli("workflow", "--execute")
    person.join()
    (run_id,) = sandbox.world.runs
    assert done.code == 130
    assert f"the run {run_id} goes on, and may be billing" in done.said
    assert "Traceback" not in done.err


# comfynb api


def test_api_shows_configuration_connectivity_and_what_there_is(cli: Command, sandbox: Sandbox) -> None:
    """Without a secret in it."""
    done = cli("api")
    assert done.code == 0, done.err
    for part in (
        f"COMFY_DEPLOY_API_URL  {sandbox.url}",
        "COMFY_DEPLOY_API_KEY  set",
        "WEBHOOK_URL           not set",
        "accepted",
        "below /api",
        "Workflows (8)",
        "Deployments (20)",
        "Machines (8)",
        "img2vid_wan_2_1",
        "studio-classic-b (RTX 4090)",
    ):
        assert part in done.out
    assert sandbox.api_key not in done.out + done.err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.host/a?token=planted-secret", "https://hooks.host/a"),
        ("https://me:planted-secret@host/x", "https://host/x"),
        ("planted-secret", "set"),
    ],
)
def test_api_shows_no_secret_of_the_webhook(
    cli: Command, monkeypatch: pytest.MonkeyPatch, url: str, shown: str
) -> None:
    """Neither a token in its query nor a password."""
    monkeypatch.setenv("WEBHOOK_URL", url)
    done = cli("api")
    assert f"WEBHOOK_URL           {shown}\n" in done.out
    assert "planted" not in done.out + done.err


def test_api_shows_an_empty_workspace_and_a_broken_one(
    cli: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables without rows, and rows with a problem."""
    sandbox.knobs.broken_workflow = True
    sandbox.reset()
    assert "cannot list" in " ".join(cli("api").out.split())
    monkeypatch.setenv("COMFY_DEPLOY_API_KEY", sandbox.other_api_key)
    done = cli("api")
    assert (done.code, "Workflows (0)" in done.out) == (0, True)


# comfynb demo


def test_the_demo_needs_nothing_and_saves_a_picture(shell: Command, tmp_path: Path) -> None:
    """No key, no network, no server."""
    nothing = dict.fromkeys(("COMFY_DEPLOY_API_KEY", "COMFY_DEPLOY_API_URL"), "")
    done = shell("demo", "--out", "pictures", **nothing)
    assert done.code == 0, done.err
    assert done.err == ""
    for part in ("1. Connect", "2. Look", "3. Run", "text2img", "serverless-a10g", "success"):
        assert part in done.out
    saved = re.search(r"^Saved (.+\.png)$", done.out, re.MULTILINE)
    assert saved is not None
    Image.open(tmp_path / saved[1]).load()


# comfynb sandbox


def test_the_sandbox_serves_until_it_is_interrupted(on_sandbox: None) -> None:
    """It prints how to connect; Ctrl-C stops it."""
    server = subprocess.Popen(
        [*COMMAND, "sandbox", "--port", "0", "--seed", "3", "--speed", "500"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert server.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += server.stdout.readline()
        call = re.search(r'comfynb\.connect\("(.+)", "(.+)"\)', said)
        assert call is not None
        with comfynb.connect(call[1], call[2]) as ws:
            assert len(ws.workflows()) == 8
            assert ws.run("text2img").status == "success"
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 130
        assert server.stderr is not None
        assert "Traceback" not in server.stderr.read()
    finally:
        server.kill()
        server.communicate()


def test_a_port_that_is_taken_is_told(cli: Command, sandbox: Sandbox) -> None:
    """With a way out."""
    port = sandbox.url.rpartition(":")[2]
    done = cli("sandbox", "--port", port)
    assert done.code == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.err
    assert "Try --port 0." in done.err


# comfynb lab


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """Make a JupyterLab that only tells how it was started."""
    package = tmp_path / "stub" / "jupyterlab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(
        "import os, sys\nprint(sys.argv[1:], os.environ.get('COMFYNB_SANDBOX'))\nsys.exit(3)\n"
    )
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "one.ipynb").write_text("{}")
    return package.parent


def test_lab_opens_the_notebooks_on_the_sandbox_when_there_is_no_key(shell: Command, stub: Path) -> None:
    """On this machine alone; its exit code is handed on."""
    path = os.pathsep.join([str(stub), str(Path(comfynb.__file__).parents[1])])
    done = shell("lab", "--no-browser", "--port", "9999", COMFY_DEPLOY_API_KEY="", PYTHONPATH=path)
    assert done.code == 3
    assert "the notebooks run on the sandbox" in done.out
    root = f"--ServerApp.root_dir={stub.parent / 'notebooks'}"
    as_root = ["--allow-root"] if os.geteuid() == 0 else []
    assert str([root, "--port=9999", "--ip=127.0.0.1", "--no-browser", *as_root]) + " 1" in done.out
    with_key = shell("lab", PYTHONPATH=path)
    assert with_key.out.strip().endswith("None")


def test_lab_says_what_is_missing(cli: Command) -> None:
    """A folder that there is not."""
    done = cli("lab", "nowhere")
    assert (done.code, done.said) == (2, "There is no folder 'nowhere'.")
