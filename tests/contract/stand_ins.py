"""Graphs that stand in for those that no recording has: they behave as is told of them."""

from __future__ import annotations

from collections.abc import Callable

from comfynb.sandbox.world.graph import Graph


def _early_save(graph: Graph) -> None:
    size = graph.external("NumberInt", "size", default_value=64)
    picture = graph.add("EmptyImage", width=size[0], height=size[0], batch_size=1, color=255)
    graph.add("SaveImage", images=picture[0], filename_prefix="early")
    for _ in range(3):
        picture = graph.add("ImageBlur", image=picture[0], blur_radius=31, sigma=10.0)
    graph.add("PreviewImage", images=picture[0])


def _noise(graph: Graph) -> None:
    picture = graph.add("EmptyImage", width=64, height=64, batch_size=1, color=255)
    noise = graph.add("ImageAddNoise", image=picture[0], seed=42, strength=0.5)
    graph.add("SaveImage", images=noise[0], filename_prefix="noise")


def output_nodes(graph: Graph) -> None:
    """Make pictures and a text file, by the nodes that name their outputs."""
    text = graph.external("Text", "text", default_value="hi")
    count = graph.external("NumberInt", "count", default_value=1)
    picture = graph.add("EmptyImage", width=64, height=64, batch_size=count[0], color=255)
    graph.add("ComfyDeployOutputImage", images=picture[0], output_id="my_images", filename_prefix="cd")
    graph.add("ComfyDeployOutputText", text=text[0], output_id="my_text", filename_prefix="cdtext")


def _preview_only(graph: Graph) -> None:
    size = graph.external("NumberInt", "size", default_value=64)
    picture = graph.add("EmptyImage", width=size[0], height=size[0], batch_size=1, color=255)
    graph.add("PreviewImage", images=picture[0])


def _unknown_node(graph: Graph) -> None:
    text = graph.external("Text", "prompt", default_value="x")
    fancy = graph.add("NoSuchNode", x=text[0])
    graph.add("SaveImage", images=fancy[0], filename_prefix="b")


def plain(graph: Graph) -> None:
    """Make a picture from a text."""
    text = graph.external("Text", "positive_prompt", default_value="a fox")
    picture = graph.add("EmptyImage", width=64, height=64, batch_size=1, color=255)
    graph.add("CLIPTextEncode", clip=picture[0], text=text[0])
    graph.add("SaveImage", images=picture[0], filename_prefix="plain")


def pictured_text(graph: Graph) -> None:
    """Make a picture and show a text."""
    plain(graph)
    graph.add("PreviewAny", source="a fox")


def refused(graph: Graph) -> None:
    """Have a value that ComfyUI refuses."""
    picture = graph.add("EmptyImage", width=-64, height=64, batch_size=1, color=255)
    graph.add("SaveImage", images=picture[0], filename_prefix="refused")


STAND_INS: dict[str, Callable[[Graph], None]] = {
    "feb5e7a4-a00d-4832-98f9-a76e11cab137": _early_save,
    "e540e18d-d5db-45dd-aa12-e68575c2c9b0": _noise,
    "e7e9a1b8-0273-4703-959f-7fdc69013d18": output_nodes,
    "8b9e4348-c903-49ff-98d9-dccf2ff614c3": _preview_only,
    "32d27f52-cacd-4d9f-b712-ce113a9809f5": _unknown_node,
}
"""Deployments whose graphs no recording has, by what is told of their runs."""
