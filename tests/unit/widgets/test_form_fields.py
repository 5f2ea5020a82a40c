"""The fields of a form: one for every class of input, and for what workflows do wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from forms import HOSTILE, button, control, external, form_of, parts, texts
from PIL import Image

import comfynb
from comfynb.errors import InputError
from comfynb.rules.input_classes import INPUT_CLASSES
from comfynb.widgets.fields.local import UPLOAD_LIMIT

NOW = datetime(2026, 5, 4, tzinfo=UTC)
SEED = {"min_value": 1, "max_value": 1000}


def upload_to(form: Any, name: str, *files: tuple[str, bytes]) -> None:
    """Do as the browser does when files were chosen."""
    field = form._widgets().fields[name]
    field._upload._button.value = tuple(
        {"name": each, "type": "", "size": len(content), "content": memoryview(content), "last_modified": NOW}
        for each, content in files
    )


def png(path: Path) -> Path:
    """Write a small picture."""
    Image.new("RGB", (4, 4), "red").save(path)
    return path


# Every class


@pytest.mark.parametrize("class_type", [*INPUT_CLASSES, "ComfyUIDeployExternalOfTomorrow"])
def test_every_class_has_a_field_that_can_be_filled(ws: comfynb.Workspace, class_type: str) -> None:
    """With its label, its help, and the rules of its class; only a realtime image cannot be changed."""
    form = form_of(ws, external(class_type, "it", display_name="The label", description="What it is for"))
    assert "The label" in texts(form)
    assert "What it is for" in texts(form)
    kind = form._state.definitions["it"].kind
    given: dict[str, Any] = {
        "boolean": True,
        "float": 2.5,
        "integer": 7,
        "slider": 0.25,
        "slider_integer": 3,
        "images": ["https://host/a.png"],
        "color": "#ff8000",
        "seed": 7,
    }
    value = given.get(kind, "https://host/a.png")
    form.values = {"it": value}
    assert ("it" in form.problems) is (kind == "realtime")
    assert form.values == {"it": value}
    form.reset()
    assert form.values == {}
    if kind == "realtime":
        assert control(form, "it").disabled


def test_texts_have_lines_or_one(ws: comfynb.Workspace) -> None:
    """An empty text is a value where there is a default, and none where there is none."""
    form = form_of(
        ws, external("Text", "long", default_value="a\nb"), external("TextSingleLine", "short"), external("New", "odd")
    )
    assert isinstance(control(form, "long"), ipywidgets.Textarea)
    assert type(control(form, "short")) is ipywidgets.Text
    assert form.problems.keys() == {"short", "odd"}
    control(form, "long").value = ""
    control(form, "short").value = "x"
    assert form.values == {"long": "", "short": "x"}
    control(form, "long").value = "a\nb"
    control(form, "short").value = ""
    assert form.values == {}


def test_numbers_are_read_and_what_is_none_is_told(ws: comfynb.Workspace) -> None:
    """In the words of a submit, while one types, and Run cannot be pressed meanwhile."""
    form = form_of(ws, external("NumberInt", "steps", default_value=20), external("Number", "cfg", default_value="6.5"))
    control(form, "steps").value = "4.6"
    assert form.problems == {"steps": "must be a whole number, not 4.6"}
    assert "must be a whole number" in texts(form)
    assert "Run is not possible: steps must be a whole number" in texts(form)
    assert button(form, "Run").disabled
    control(form, "steps").value = "30"
    control(form, "cfg").value = "-3.5"
    assert form.values == {"steps": 30, "cfg": -3.5}
    assert not button(form, "Run").disabled
    control(form, "steps").value = ""
    control(form, "cfg").value = "6.5"
    assert form.values == {}
    with pytest.raises(InputError, match=r"must be a whole number, not 4.6"):
        ws.submit(form._target, steps=4.6, machine="studio-classic-a")


def test_sliders_have_the_range_and_the_step_of_the_workflow(ws: comfynb.Workspace) -> None:
    """What a slider cannot show is not lost: it is told, and the field is a number where no slider can be."""
    form = form_of(
        ws,
        external("NumberSlider", "strength", default_value=0.3, min_value=0, max_value=2, step=0.05),
        external("NumberSliderInt", "steps", default_value=4, min_value=1, max_value=8),
        external("NumberSlider", "turned", default_value=0.3, min_value=2, max_value=1),
        external("NumberSlider", "outside", default_value=5, min_value=0, max_value=1),
    )
    slider, steps = control(form, "strength"), control(form, "steps")
    assert (slider.min, slider.max, slider.step, slider.value) == (0, 2, 0.05, 0.3)
    assert (steps.min, steps.max, steps.step, steps.value) == (1, 8, 1, 4)
    slider.value = 0.1 + 0.2 + 0.1
    assert form.values == {"strength": 0.4}
    slider.value = 0.1 + 0.2
    assert form.values == {}
    form.values["steps"] = 99
    assert steps.value == 8
    assert form.values == {"steps": 99}
    assert form.problems["steps"].startswith("must be 1 to 8, not 99; the node would ignore it")
    for name in ("turned", "outside"):
        assert isinstance(control(form, name), ipywidgets.Text)
    assert "its smallest value, 2, is above its largest, 1" in texts(form)
    assert "outside" not in form.problems


def test_boxes_and_lists_show_when_nothing_was_chosen(ws: comfynb.Workspace) -> None:
    """Where there is no default; a default that is not in its list can be chosen."""
    form = form_of(
        ws,
        external("Boolean", "hires", default_value="true"),
        external("Boolean", "must", default_value=["47", 0]),
        external("Enum", "size", options='["S", "M"]', default_value="XL"),
        external("Enum", "kind", options='["a", "b"]'),
        external("Enum", "free", options="a, b, c"),
    )
    assert control(form, "hires").value is True
    control(form, "hires").value = False
    assert form.problems.keys() == {"must", "kind", "free"}
    control(form, "must").value = False
    control(form, "size").index = 1
    control(form, "kind").value = "b"
    control(form, "free").value = "c"
    assert form.values == {"hires": False, "must": False, "size": "S", "kind": "b", "free": "c"}
    assert form.problems == {}
    control(form, "size").value = "XL"
    control(form, "kind").value = None
    assert form.values.keys() == {"hires", "must", "free"}
    form.values["kind"] = "no such"
    assert "is not an option; the options are a, b" in form.problems["kind"]
    assert control(form, "kind").index is None
    assert "its options are not a list" in texts(form)


def test_a_colour_is_typed_or_picked(ws: comfynb.Workspace) -> None:
    """In the shape that the node takes, when it is sent."""
    form = form_of(ws, external("Color", "tint", default_value='[{"r": 255, "g": 128, "b": 0}]'))
    field = form._widgets().fields["tint"]
    assert field._control.value == field._picker.value == "#ff8000"
    field._picker.value = "#102030"
    assert form.values == {"tint": "#102030"}
    field._control.value = "#abc"
    assert field._picker.value == "#aabbcc"
    assert field._control.value == "#abc"
    assert ws.prepare(form._target, dict(form.values)).inputs.send["tint"] == [{"r": 170, "g": 187, "b": 204}]
    field._control.value = "mauve"
    assert "must be a color" in form.problems["tint"]
    form.values = {"tint": [{"r": 1, "g": 2, "b": 3}]}
    assert field._control.value == "#010203"


def test_a_seed_is_typed_thrown_or_random(ws: comfynb.Workspace) -> None:
    """A fixed seed of the workflow is used unless another one is wanted."""
    form = form_of(ws, external("Seed", "seed", default_value=-1, **SEED), external("Seed", "fixed", default_value=42))
    seed, fixed = form._widgets().fields["seed"], form._widgets().fields["fixed"]
    assert (seed._each.value, fixed._each.value, fixed._control.value) == (True, False, "42")
    assert form.values == {}
    seed._dice.click()
    assert 1 <= form.values["seed"] <= 1000
    assert seed._control.value == str(form.values["seed"])
    assert not seed._each.value
    fixed._each.value = True
    assert form.values["fixed"] == -1
    assert fixed._control.value == ""
    fixed._each.value = False
    seed._control.value = "7"
    assert form.values == {"seed": 7}
    seed._control.value = "2000"
    assert form.problems["seed"] == "must be 1 to 1000, or -1 for a random one, not 2000"
    seed._each.value = True
    assert form.values == {}
    assert form.problems == {}


# Files


@pytest.mark.parametrize(("kind", "key"), [("Image", "default_value_url"), ("Video", "default_value_url")])
def test_a_file_is_an_address_a_path_or_an_upload(ws: comfynb.Workspace, tmp_path: Path, kind: str, key: str) -> None:
    """A path is one where the kernel runs, and is looked for there; what is uploaded has its name."""
    form = form_of(ws, external(kind, "it", **{key: "https://host/a.png"}))
    assert control(form, "it").value == "https://host/a.png"
    control(form, "it").value = "https://other/b.png"
    assert form.values == {"it": "https://other/b.png"}
    control(form, "it").value = "javascript:alert(1)"
    assert "must be a public URL" in form.problems["it"]
    control(form, "it").value = str(tmp_path / "missing.png")
    assert form.values == {"it": tmp_path / "missing.png"}
    assert "there is no file" in form.problems["it"]
    control(form, "it").value = str(png(tmp_path / "there.png"))
    assert form.problems == {}
    upload_to(form, "it", ("../fox.png", b"content"))
    assert form.values["it"] == b"content"
    assert form.values["it"].name == ".._fox.png"
    assert control(form, "it").value == ""
    assert "fox.png (7 bytes)" in texts(form)
    assert form.problems == {}
    control(form, "it").value = "https://host/a.png"
    assert form.values == {}


def test_pictures_have_a_preview(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """Of addresses that are complete and safe, of files, and of uploads; a broken picture has none."""
    form = form_of(ws, external("Image", "it"), external("Audio", "sound"))
    preview = form._widgets().fields["it"]._preview
    control(form, "it").value = "https://host/a.pn"
    assert preview.value == ""
    control(form, "it").value = 'https://host/a"b.png'
    assert preview.value.startswith('<img src="https://host/a%22b.png"')
    control(form, "it").value = str(png(tmp_path / "there.png"))
    assert '<img src="data:image/png;base64,' in preview.value
    upload_to(form, "it", ("<b>.png", b"no picture"))
    assert "<img" not in preview.value
    assert "&lt;b&gt;.png (10 bytes)" in preview.value
    control(form, "sound").value = "https://host/a.mp3"
    assert '<audio src="https://host/a.mp3"' in texts(form)


def test_an_upload_that_the_connection_cannot_take_is_told_with_the_way_round(ws: comfynb.Workspace) -> None:
    """Before and after; nothing of it is kept."""
    form = form_of(ws, external("File", "it"))
    assert "up to 10.0 MB; for a larger file its path where the kernel runs, or a URL" in texts(form)
    upload_to(form, "it", ("large.zip", bytes(UPLOAD_LIMIT + 1)))
    assert form.values == {}
    assert "large.zip has 10.0 MB, and Jupyter&#x27;s connection takes" in texts(form)
    assert "type its path here, or give a URL" in texts(form)
    upload_to(form, "it", ("small.zip", b"x"))
    assert form.values["it"].name == "small.zip"
    assert "large.zip" not in texts(form)


def test_a_batch_of_pictures_has_an_order(ws: comfynb.Workspace, tmp_path: Path) -> None:
    """They are added by address, path or upload, moved and taken out."""
    form = form_of(ws, external("ImageBatch", "them", images='["https://h/1.png", "https://h/2.png"]'))
    field = form._widgets().fields["them"]
    path = png(tmp_path / "3.png")
    field._add.value = str(path)
    assert form.values == {"them": ["https://h/1.png", "https://h/2.png", path]}
    assert field._add.value == ""
    up, down, out = (lambda place, which=which: field._rows.children[place].children[which] for which in range(3))
    up(2).click()
    down(0).click()
    assert form.values["them"] == [path, "https://h/1.png", "https://h/2.png"]
    assert up(0).disabled
    assert down(2).disabled
    upload_to(form, "them", ("a.png", b"a"), ("b.png", b"b"))
    assert [type(each).__name__ for each in form.values["them"][3:]] == ["NamedBytes", "NamedBytes"]
    for _ in range(5):
        out(0).click()
    assert "empty list" in form.problems["them"]
    form.reset()
    assert len(field._rows.children) == 2
    field._add.value = "C:/no such.png"
    assert "item 3" in form.problems["them"] or "there is no file" in form.problems["them"]


def test_keys_in_the_defaults_of_models_and_files_are_never_shown(ws: comfynb.Workspace) -> None:
    """Nor is the token of a node; the default can be used all the same."""
    secret = "s3cr3t-t0k3n"
    form = form_of(
        ws,
        external("Lora", "lora", lora_url=f"https://host/a.safetensors?token={secret}", bearer_token=secret),
        external("Image", "image", default_value_url=f"https://user:{secret}@host/a.png"),
        external("ImageBatch", "them", images=f'["https://host/a.png?key={secret}"]'),
        external("Checkpoint", "model", default_value="xl.safetensors"),
    )
    assert control(form, "model").value == "xl.safetensors"
    assert "https://host/a.safetensors" in control(form, "lora").placeholder
    assert form.problems == {}
    shown = form._repr_mimebundle_()
    state = [str(each.get_state()) for each in parts(form.box) if not isinstance(each, ipywidgets.HTML)]
    heads = [each.value for each in parts(form.box) if isinstance(each, ipywidgets.HTML) and "<img" not in each.value]
    for text in (shown["text/plain"], shown["text/html"], form.to_code(), *state, *heads):
        assert secret not in text


# What workflows do wrong


def test_two_inputs_of_one_name_are_one_field_that_says_so(ws: comfynb.Workspace) -> None:
    """And nothing can be run, as nothing can be submitted."""
    form = form_of(ws, external("Text", "it", default_value="a"), external("Text", "it", default_value="b"))
    assert len(form._widgets().fields) == 1
    assert "two nodes use the name" in form.problems["it"]
    assert button(form, "Run").disabled


@pytest.mark.parametrize("label", [None, "", 7, ["47", 0], {"a": 1}])
def test_labels_that_are_none_are_replaced_by_the_name(ws: comfynb.Workspace, label: Any) -> None:
    """Whatever stands there."""
    form = form_of(ws, external("Text", "the name", display_name=label, description=label, default_value="x"))
    assert '<div class="cnb-label" dir="auto">the name</div>' in texts(form)


def test_a_link_is_no_default(ws: comfynb.Workspace) -> None:
    """So the picture has to be given."""
    form = form_of(ws, external("Image", "image", default_value=["47", 0]))
    assert form.problems == {"image": "is required and not given (image (URL or file))"}
    assert "(required)" in texts(form)
    assert "image is required and not given" in form.reason


def test_forty_inputs_in_six_groups_keep_their_order(ws: comfynb.Workspace) -> None:
    """Groups can be closed one by one, and stand where their first input stands."""
    nodes = []
    for number in range(40):
        node = external("NumberInt", f"n{number}", display_name=f"Number {number}", default_value=number)
        group = (
            {} if number % 7 == 6 else {"cd_input_group_id": f"g{number % 7}", "cd_group_name": f"Group {number % 7}"}
        )
        node["_meta"] = {"cd_input_order": 39 - number, **group}
        nodes.append(node)
    form = form_of(ws, *nodes)
    labels = [each.titles[0] for each in parts(form.box) if isinstance(each, ipywidgets.Accordion)]
    # 39 comes first: 39 % 7 is 4, then 38 with 3, and so on; 34 stands alone, after 35 with 0.
    assert labels == ["Group 4", "Group 3", "Group 2", "Group 1", "Group 0", "Group 5"]
    first = next(each for each in parts(form.box) if isinstance(each, ipywidgets.Accordion))
    order = [each.tooltip for each in parts(first) if isinstance(each, ipywidgets.Text)]
    assert order == ["Number 39", "Number 32", "Number 25", "Number 18", "Number 11", "Number 4"]
    assert len(form._widgets().fields) == 40
    assert form.problems == {}


@pytest.mark.parametrize(
    "name", ["class", "from", "version", 'it\'s "quoted" and spaced', "שלום עולם", "🦊 fox", "a\nb", "é", "__debug__"]
)
def test_names_of_any_kind_are_filled_and_shown(ws: comfynb.Workspace, name: str) -> None:
    """And are sent under that name."""
    form = form_of(ws, external("Text", name, default_value="x"))
    control(form, name).value = "مرحبا 🦊"
    assert form.values == {name: "مرحبا 🦊"}
    assert ws.prepare(form._target, dict(form.values), machine="studio-classic-a").request[1]["inputs"] == {
        name: "مرحبا 🦊"
    }


def test_long_labels_are_shown_in_full(ws: comfynb.Workspace) -> None:
    """And wrapped, not cut."""
    label = "word " * 80
    form = form_of(ws, external("Text", "it", display_name=label, default_value="x"))
    assert label.strip() in texts(form)
    assert "white-space:normal" in texts(form)


@pytest.mark.parametrize("class_type", [*INPUT_CLASSES, "ComfyUIDeployExternalOfTomorrow"])
def test_hostile_texts_are_words_everywhere(ws: comfynb.Workspace, class_type: str) -> None:
    """In names, labels, help, options, groups, defaults and values, however long."""
    long = HOSTILE * 20_000
    node = external(
        class_type,
        HOSTILE,
        display_name=long,
        description=long,
        options=f'["{HOSTILE[:40]}", "b"]',
        **dict.fromkeys(("default_value", "lora_url", "file_url", "default_value_url"), HOSTILE),
    )
    node["_meta"] = {"cd_input_group_id": HOSTILE, "cd_group_name": HOSTILE}
    form = form_of(ws, node)
    form.values = {HOSTILE: HOSTILE}
    shown = form._repr_mimebundle_()
    button(form, "Code").click()
    for text in (texts(form), shown["text/html"]):
        assert "<script>" not in text
        assert "<img src=x" not in text
        assert "\u202e" not in text
    assert "\x1b" not in shown["text/plain"] + texts(form)
    assert not any(getattr(each, "description_allow_html", False) for each in parts(form.box))


def test_half_characters_reach_no_connection(ws: comfynb.Workspace) -> None:
    """They cannot be sent, and the browser could not be told."""
    form = ws.form(form_of(ws, external("Text", "it"))._target, machine="studio-classic-a")
    form.values = {"it": "a\ud800"}
    for each in parts(form.box):
        str(each.get_state()).encode()
    assert "surrogate" in form.problems["it"]
