"""Files in and out of runs, as an analyst gives and takes them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import comfynb
from comfynb.sandbox import Sandbox
from comfynb.warnings import UploadWarning

UPSCALE = "upscale_esrgan"
READY = "studio-classic-a"

pytestmark = pytest.mark.usefixtures("uploads_are_no_news")


def picture(color: str = "red") -> Image.Image:
    """Return a small picture."""
    return Image.new("RGB", (8, 8), color)


def sent(sandbox: Sandbox, run: comfynb.Run, name: str = "image") -> bytes:
    """Return the file that a machine was given for an input."""
    import httpx

    url = run.inputs[name]
    assert url.startswith(sandbox.url)
    return httpx.get(url).content


def test_an_input_is_given_as_whatever_one_has(ws: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path) -> None:
    """A path, bytes, a picture, an array: the machine gets that file; one content goes up once."""
    path = tmp_path / "fox.png"
    picture().save(path)
    content = path.read_bytes()
    for value in (path, str(path), content, io.BytesIO(content)):
        assert sent(sandbox, ws.submit(UPSCALE, machine=READY, image=value)) == content
    assert sandbox.counters.of("POST /file/upload") == 1
    for value in (picture("blue"), np.asarray(picture("blue")), np.asarray(picture("blue")) / 255):
        found = Image.open(io.BytesIO(sent(sandbox, ws.submit(UPSCALE, machine=READY, image=value))))
        assert found.getpixel((0, 0)) == (0, 0, 255)
    assert sandbox.counters.of("POST /file/upload") == 2


def test_an_output_of_one_run_is_an_input_of_another(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """By its address: nothing is fetched or uploaded for that."""
    first = ws.run("text2img", prompt="a red fox", width=64, height=64)
    second = ws.run(UPSCALE, machine=READY, image=first.outputs[0])
    assert second.inputs["image"] == first.outputs[0].url
    assert second.status == "success"
    assert sandbox.counters.of("POST /file/upload") == 0


@pytest.mark.meets("private_files")
def test_a_link_that_expires_is_renewed_before_it_is_given_to_another_run(
    ws: comfynb.Workspace, sandbox: Sandbox
) -> None:
    """A private output's is good for an hour; the run has a new one."""
    sandbox.knobs.private_files = True
    first = ws.run("text2img", prompt="a red fox", width=64, height=64)
    before = first.outputs[0].url
    assert before is not None
    assert "?" in before
    sandbox.advance(7200)
    second = ws.submit(UPSCALE, machine=READY, image=first.outputs[0])
    assert second.inputs["image"].partition("?")[0] == before.partition("?")[0]
    assert second.inputs["image"] != before


def test_a_batch_takes_several_of_any_kind(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """In the order in which they are given."""
    picture().save(tmp_path / "1.png")
    run = ws.submit(
        "MAKEIMAGE", inputs={"reference_images": ["https://host/0.png", tmp_path / "1.png", picture("blue")]}
    )
    urls = run.inputs["reference_images"]
    assert urls[0] == "https://host/0.png"
    assert len(urls) == 3
    assert all(url.startswith("http") for url in urls)


def test_a_file_that_is_missing_is_a_problem_like_any_other(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Told together with the others, before anything is sent."""
    with pytest.raises(comfynb.InputError) as caught:
        ws.submit(UPSCALE, machine=READY, image=Path("nowhere.png"), scale="much")
    assert "there is no file 'nowhere.png'" in caught.value.problems["image"]
    assert "scale" in caught.value.problems
    assert sandbox.counters.runs_created == 0


def test_it_is_said_before_the_first_upload_and_points_at_the_caller(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """In the thread of whoever called, at that line, before a byte has left; also by the twins and a rerun."""

    def count(message: object, category: type, filename: str, *_: object) -> None:
        told.append((str(message), category, filename, sandbox.counters.of("POST /file/upload")))

    told: list[tuple[str, type, str, int]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", UploadWarning)
        warnings.showwarning = count  # type: ignore[assignment]
        ws.submit(UPSCALE, machine=READY, image=picture())
        ws.upload(picture("blue"))
    assert [(category, filename, before) for _, category, filename, before in told] == [(UploadWarning, __file__, 0)]
    assert "picture.png will be uploaded to" in told[0][0]


def test_an_error_made_of_the_warning_keeps_the_file_here(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """By every way that a file can go up."""
    run = ws.run(UPSCALE, machine=READY)
    before = sandbox.counters.runs_created
    with warnings.catch_warnings():
        warnings.simplefilter("error", UploadWarning)
        for act in (
            lambda: ws.submit(UPSCALE, machine=READY, image=picture()),
            lambda: ws.run(UPSCALE, machine=READY, image=picture()),
            lambda: ws.upload(picture()),
            lambda: run.rerun(image=picture()),
            lambda: asyncio.run(ws.aio.submit(UPSCALE, machine=READY, image=picture())),
            lambda: asyncio.run(ws.aio.upload(picture())),
            lambda: asyncio.run(run.aio.rerun(image=picture())),
        ):
            with pytest.raises(UploadWarning):
                act()
    assert sandbox.counters.of("POST /file/upload") == 0
    assert sandbox.counters.runs_created == before


def test_files_go_up_by_the_twins_too(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Awaited from another event loop."""

    async def main() -> comfynb.Run:
        url = await ws.aio.upload(picture())
        run = await ws.aio.submit(UPSCALE, machine=READY, image=picture())
        assert run.inputs["image"] == url
        return await run.aio.rerun(image=picture("blue"))

    assert asyncio.run(main()).inputs["image"].endswith(".png")
    assert sandbox.counters.of("POST /file/upload") == 2


# What comes back


@pytest.mark.meets("private_files")
def test_an_old_link_of_a_private_file_is_renewed_by_itself(
    ws: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path
) -> None:
    """It is good for an hour; whoever looks at an output of yesterday gets the picture all the same."""
    sandbox.knobs.private_files = True
    run = ws.run("text2img", width=64, height=64)
    output = run.outputs[0]
    sandbox.advance(7200)
    assert output.to_pil().size == (64, 64)
    assert output.save(tmp_path).is_file()
    assert len(run.download(tmp_path)) == 1
    sandbox.knobs.change(fail_next=9, fail_status=500, faults_on="/run/")
    with pytest.raises(comfynb.ApiError, match=r"\(403\); its link may have expired"):
        comfynb.Output(output.file, ws._core).to_bytes()


def test_a_folder_says_of_each_file_what_made_it(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """Run, workflow, inputs and hash; of several runs together, and once of a run that is saved twice."""
    runs = [ws.run("text2img", prompt=f"fox {n}", seed=n, width=64, height=64) for n in (1, 2)]
    for run in (*runs, runs[0]):
        run.download(tmp_path)
    content = json.loads((tmp_path / "manifest.json").read_text())
    assert [entry["run_id"] for entry in content["runs"]] == [run.id for run in runs]
    for entry, run in zip(content["runs"], runs, strict=True):
        assert entry["workflow"] == "text2img"
        assert entry["inputs"] == run.inputs
        assert entry["status"] == "success"
        (file,) = entry["files"]
        assert file["sha256"] == hashlib.sha256((tmp_path / file["file"]).read_bytes()).hexdigest()
        assert file["bytes"] == (tmp_path / file["file"]).stat().st_size
        assert (file["kind"], file["node_class"]) == ("image", "SaveImage")
    assert ws._core.catalogue.client.transport._key.get_secret_value() not in (tmp_path / "manifest.json").read_text()


@pytest.mark.parametrize("content", ["not json", "[]", '{"name": "a site"}', '{"comfynb": 99, "runs": []}'])
def test_a_manifest_of_somebody_else_stays_as_it_is(ws: comfynb.Workspace, tmp_path: Path, content: str) -> None:
    """Web sites have one, too; ours gets another name then."""
    (tmp_path / "manifest.json").write_text(content)
    run = ws.run("text2img", width=64, height=64)
    run.download(tmp_path)
    assert (tmp_path / "manifest.json").read_text() == content
    ours = json.loads((tmp_path / "comfynb-manifest.json").read_text())
    assert [entry["run_id"] for entry in ours["runs"]] == [run.id]


def test_an_output_knows_where_it_was_saved(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """By its run or by itself; before that, nowhere."""
    run = ws.run("text2img", width=64, height=64)
    assert run.outputs[0].path is None
    (path,) = run.download(tmp_path / "a")
    assert run.outputs[0].path == path
    assert run.outputs[0].save(tmp_path / "b") == run.outputs[0].path == tmp_path / "b" / path.name
    assert run.outputs[0] is run.outputs[0]


def test_an_output_tells_what_it_was_made_with(ws: comfynb.Workspace) -> None:
    """Out of the picture itself, the seed that no input controls included."""
    output = ws.run("text2img", prompt="a red fox", seed=7, width=64, height=64).outputs[0]
    assert output.used_inputs()["seed"] == 7
    assert output.used_inputs()["prompt"] == "a red fox"
    with pytest.warns(comfynb.warnings.StalledRunWarning):
        (text,) = ws.run("text2img", prompt="__text_only__", check=False, stall=0.1).outputs
    with pytest.raises(comfynb.NotFoundError, match="does not tell how it was made"):
        text.used_inputs()
