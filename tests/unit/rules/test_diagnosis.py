"""Why runs fail or stand still."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfynb.rules.diagnosis import Failure, find_failure, hint_for, stall_cause
from comfynb.rules.inputs import InputDefinition

TIMES = {"data": [{"id": "1", "class_type": "EmptyImage", "time": 0.1}]}
PICTURE = {"data": {"images": [{"url": "https://x/y.png"}]}}
PHOTO = InputDefinition("photo", "Photo", "ComfyUIDeployExternalImage", "image")


def raised(message: str, kind: str, node_class: str = "KSampler") -> dict[str, Any]:
    """Return an output with the data of an error that a node raised."""
    return {
        "data": {
            "exception_message": message,
            "exception_type": kind,
            "node_id": "13",
            "node_type": node_class,
            "traceback": ['  File "/opt/secret/path.py"\n'],
            "current_inputs": {"image": ["tensor(...)" * 1000]},
        }
    }


def refused(complaint: dict[str, Any]) -> dict[str, Any]:
    """Return an output with ComfyUI's refusal of one node."""
    return {"data": {"error": {"node_errors": {"3": {"errors": [complaint], "class_type": "SaveImage"}}}}}


def hint(failure: Failure | None, status: str = "failed", **more: Any) -> str:
    """Return the hint for a run on a classic machine."""
    return hint_for(failure, status=status, **{"machine_type": "classic", "has_outputs": False, **more})


def test_the_error_of_a_node_is_found_among_other_outputs() -> None:
    """The message without its trailing line end, the node and its class; nothing of paths or tensors."""
    failure = find_failure([TIMES, PICTURE, raised("something broke\n", "RuntimeError")])
    assert failure is not None
    assert (failure.message, failure.node_id, failure.node_class) == ("something broke", "13", "KSampler")
    assert failure.exception_type == "RuntimeError"
    assert "secret" not in repr(failure)
    assert "tensor" not in repr(failure)


def test_a_refused_graph_is_found() -> None:
    """What ComfyUI says about the first bad node, and what it is about."""
    failure = find_failure(
        [refused({"type": "required_input_missing", "message": "Required input is missing", "details": "images"})]
    )
    assert failure is not None
    assert failure.message == "Required input is missing: images"
    assert (failure.node_id, failure.node_class, failure.refused) == ("3", "SaveImage", True)
    general = find_failure(
        [{"data": {"error": {"error": {"message": "Prompt has no outputs", "type": "prompt_no_outputs"}}}}]
    )
    assert general is not None
    assert (general.message, general.exception_type) == ("Prompt has no outputs", "prompt_no_outputs")


@pytest.mark.parametrize("outputs", [None, [], [TIMES], [PICTURE], [None, {"data": None}, {"data": "x"}, {}], "x", {}])
def test_no_error_is_none(outputs: Any) -> None:
    """Outputs, timings and garbage are no failure."""
    assert find_failure(outputs) is None


def test_a_long_message_is_cut() -> None:
    """Kilobytes of dump do not get through."""
    failure = find_failure([raised("x" * 50_000, "RuntimeError")])
    assert failure is not None
    assert len(failure.message) == 1000


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (raised("CUDA out of memory. Tried to allocate 2.00 GiB", "torch.OutOfMemoryError"), "ran out of memory"),
        (raised("[alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory", "RuntimeError"), "ran out of memory"),
        (raised("Allocation on device", "OutOfMemoryError"), "ran out of memory"),
        (raised("[Errno 2] No such file or directory: 'x'", "FileNotFoundError"), "lacks a model or a file"),
        (raised("", "comfy.model_management.InterruptProcessingException"), "interrupted it"),
        (refused({"message": "Value not in list", "details": "ckpt_name: 'x' not in []"}), "lacks a model or a file"),
        (refused({"message": "Value 0 smaller than min of 1", "details": "width"}), "refused the workflow"),
    ],
)
def test_usual_causes_are_known_from_the_message(output: dict[str, Any], words: str) -> None:
    """The failure itself and the hint say the same."""
    failure = find_failure([output])
    assert failure is not None
    assert words in failure.hint
    assert words in hint(failure)


def test_an_unreadable_picture_is_named() -> None:
    """It shows up as a TypeError in the next node, and the hint leads back to the input."""
    failure = find_failure(
        [raised("unsupported operand type(s) for -: 'float' and 'NoneType'\n", "TypeError", "ImageInvert")]
    )
    assert "could not read an image" in hint(failure)
    assert hint(failure, definitions=[PHOTO]).endswith("Look at 'photo'.")
    prompt = InputDefinition("prompt", "Prompt", "ComfyUIDeployExternalText", "text")
    assert "image" not in hint(failure, definitions=[prompt])


def test_an_unknown_error_says_what_to_do() -> None:
    """There is always a next step."""
    assert (
        hint(find_failure([raised("weird", "KeyError")]))
        == "No usual cause fits. Run the workflow in ComfyUI, and look at this node."
    )


@pytest.mark.parametrize(
    ("status", "more", "words"),
    [
        ("failed", {"ended": False}, "could not be reached"),
        ("failed", {}, "could not be reached"),
        ("failed", {"ended": True}, "gave no reason"),
        ("failed", {"ended": False, "has_outputs": True}, "ran the rest"),
        ("timeout", {}, "24 hours"),
        ("success", {}, "could not upload"),
        ("cancelled", {}, "may go on for a while"),
    ],
)
def test_ends_without_a_message_are_explained(status: str, more: dict[str, Any], words: str) -> None:
    """A machine that is down, a half refused graph, a lost upload, a run that was given up."""
    assert words in hint(None, status, **more)


def test_a_half_refused_graph_says_what_was_refused() -> None:
    """Its outputs are good, and the refused part is named."""
    failure = find_failure([PICTURE, refused({"message": "Required input is missing", "details": "images"})])
    text = hint(failure, has_outputs=True, ended=False)
    assert "ran the rest" in text
    assert text.endswith("What was refused: Required input is missing: images")


def test_a_half_refused_graph_may_still_make_something() -> None:
    """Its run is called failed at once, and has no end; of one that was refused as a whole the end is reported."""
    failure = find_failure([refused({"message": "Required input is missing", "details": "images"})])
    assert "may still be running the rest" in hint(failure, has_outputs=False, ended=False)
    assert "refused the workflow" in hint(failure, has_outputs=False, ended=True)
    assert "refused the workflow" in hint(failure, has_outputs=False, ended=None)


def test_a_refusal_without_a_message_is_not_quoted() -> None:
    """There is nothing to quote."""
    failure = find_failure([{"data": {"error": {"node_errors": {}}}}])
    assert "What was refused" not in hint(failure, has_outputs=True, ended=False)


def test_a_good_end_needs_no_hint() -> None:
    """A success with outputs, and a run that goes on, have nothing to explain."""
    assert hint(None, "success", has_outputs=True) == ""
    assert hint(None, "running") == ""
    assert hint(None, "cancelled", machine_type="comfy-deploy-serverless") == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("not-started", "classic", None, 0.0, False), "does not know a node"),
        (("queued", "comfy-deploy-serverless", None, 0.0, False), "waits for a GPU"),
        (("running", "classic", "Executing SaveImage", 1.0, True), "has most likely finished"),
        (("running", "classic", "Executing SaveImage", 0.4, True), "has most likely finished"),
        (("running", "classic", "Executing PreviewImage", 1.0, False), "only previews"),
        (("running", "classic", "Executing ImageBlur", 0.6, False), "It stands at 'ImageBlur'"),
        (("running", None, None, None, False), "It stands: that node is slow"),
    ],
)
def test_a_standstill_has_a_likely_cause(arguments: tuple[Any, ...], words: str) -> None:
    """What status, progress and outputs tell together."""
    assert words in stall_cause(*arguments)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "error", "node_errors", "errors", "message", "exception_message", "1"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON_VALUES) | JSON_VALUES)
def test_no_shape_is_an_error(outputs: Any) -> None:
    """Whatever the machine posted, the answer is a failure with a message, or None."""
    failure = find_failure(outputs)
    assert failure is None or failure.message
