"""What a run made: pictures, files, texts, and how they were made."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

import comfynb
from comfynb.runs.metadata import executed_graph
from comfynb.sandbox import Sandbox


def test_pictures_come_as_pil_images(ws: comfynb.Workspace) -> None:
    """In the order of the outputs, in the size that was asked for."""
    run = ws.run("text2img", prompt="a red fox", seed=7, width=256, height=192)
    (picture,) = run.images()
    assert isinstance(picture, Image.Image)
    assert picture.size == (256, 192)


def test_pictures_of_a_handle_that_never_looked_are_found(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """`images` is a verb: it asks, as long as more can come."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img")
    assert run.images() == []
    sandbox.advance(100)
    assert len(run.images()) == 1
    assert run.status == "success"


def test_an_output_tells_what_it_is(ws: comfynb.Workspace) -> None:
    """Its kind, its name, its node and the node's class, which the server leaves out."""
    (output,) = ws.run("text2img", prompt="x").outputs
    assert (output.kind, output.node_class, output.text) == ("image", "SaveImage", None)
    assert output.filename.startswith("text2img_")
    assert output.url is not None
    assert output.url.endswith(output.filename)
    assert repr(output) == f"<Output image {output.filename!r} of SaveImage>"
    assert Image.open(io.BytesIO(output.to_bytes())).format == "PNG"


def test_an_output_displays_itself_as_a_picture(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """With its plain text; if the picture cannot be fetched, the text is all."""
    run = ws.run("text2img", prompt="x")
    bundle = run.outputs[0]._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"] == repr(run.outputs[0])
    sandbox.knobs.change(fail_next=1, fail_status=500, faults_on="/files/")
    assert ws.get_run(run.id).outputs[0]._repr_mimebundle_().keys() == {"text/plain"}


def test_a_text_is_handed_over_without_a_download(ws: comfynb.Workspace, sandbox: Sandbox, tmp_path: Path) -> None:
    """And saved as a file like any other."""
    sandbox.knobs.speed = 0
    run = ws.submit("text2img", prompt="__text_only__ of a fox")
    sandbox.advance(100)
    (output,) = run.refresh().outputs
    assert (output.kind, output.url) == ("text", None)
    assert output.text
    assert output.to_bytes() == output.text.encode()
    assert run.download(tmp_path)[0].read_text() == output.text
    with pytest.raises(ValueError, match="is no picture"):
        output.to_pil()


def test_download_saves_everything_and_again_the_same(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """Under names that do not collide with those of another run; nothing half is left."""
    run = ws.run("text2img", prompt="x")
    other = ws.run("text2img", prompt="y")
    folder = tmp_path / "new" / "folder"
    first = run.download(folder)
    assert first == run.download(str(folder))
    assert first[0].name == f"{run.id[:8]}_{run.outputs[0].filename}"
    other.download(folder)
    assert {path.name for path in folder.iterdir()} == {
        first[0].name,
        f"{other.id[:8]}_{other.outputs[0].filename}",
        "manifest.json",
    }
    Image.open(first[0]).load()
    assert run.outputs[0].save(tmp_path) == tmp_path / first[0].name


def test_a_download_that_breaks_off_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """No half picture under the name of a whole one."""
    with comfynb.connect(sandbox=sandbox, retries=1) as ws:
        run = ws.run("text2img", prompt="x")
        sandbox.knobs.change(drop_next=2, drop="middle", faults_on="/files/")
        with pytest.raises(comfynb.TransportError, match=r"broke off .* It was tried 2 times"):
            run.download(tmp_path)
        assert list(tmp_path.iterdir()) == []
        sandbox.knobs.change(drop_next=1)
        (path,) = run.download(tmp_path)
    Image.open(path).load()


def test_outputs_are_a_table_too(ws: comfynb.Workspace) -> None:
    """Of a handle or an id."""
    run = ws.run("img2vid - wan 2.1")
    frame = ws.outputs(run.id)
    assert frame.loc[0, ["name", "kind", "node_class", "run_id"]].tolist() == [
        run.outputs[0].filename,
        "image",  # an animated one
        "VHS_VideoCombine",
        run.id,
    ]


# How it was made


def test_what_was_executed_stands_in_the_picture(ws: comfynb.Workspace) -> None:
    """Inputs that were given, defaults, and the seed."""
    run = ws.run("text2img", prompt="a red fox", seed=7, width=320)
    used = run.used_inputs()
    assert used == {
        "prompt": "a red fox",
        "negative_prompt": "blurry, text, watermark",
        "width": 320,
        "height": 512,
        "seed": 7,
    }


def test_a_seed_that_no_input_controls_is_read_from_the_picture(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """The graph says 156680208700286, the machine draws its own on each run, and only the picture tells it."""
    first, second = (ws.run("Text to Image", inputs={"Prompt": "a pier"}) for _ in range(2))
    assert any("no input: it is drawn anew" in note for note in first.prepared.notes)  # type: ignore[union-attr]
    seeds = {run.used_inputs()["KSampler.seed (node 9)"] for run in (first, second)}
    assert len(seeds - {156680208700286}) == 2
    assert "seed" not in first.inputs


def test_the_seed_that_was_used_is_known_after_a_restart(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """From the id alone."""
    run = ws.run("text2img", prompt="x")
    with comfynb.connect(sandbox=sandbox) as later:
        assert later.get_run(run.id).used_inputs()["seed"] == run.inputs["seed"]


def test_a_run_without_pictures_says_that_it_cannot_tell(ws: comfynb.Workspace, sandbox: Sandbox) -> None:
    """Only pictures hold it."""
    run = ws.run("text2img", prompt="__fail__", check=False)
    with pytest.raises(comfynb.NotFoundError, match="None of the 0 outputs"):
        run.used_inputs()


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, b"GIF89a", b"\xff\xd8\xff\xe0"]
)
def test_a_file_that_is_no_picture_tells_nothing(content: bytes) -> None:
    """And breaks nothing."""
    assert executed_graph(content) is None


@pytest.mark.parametrize("text", [None, "", "no json", "[1]", '"text"'])
def test_a_picture_without_a_graph_tells_nothing(text: str | None) -> None:
    """Its metadata may be missing, or somebody else's."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    if text is not None:
        info.add_text("prompt", text)
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG", pnginfo=info)
    assert executed_graph(buffer.getvalue()) is None
