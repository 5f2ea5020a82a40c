"""The pictures that the machines make: abstract, pleasant, and decided by the inputs and the seed."""

from __future__ import annotations

import colorsys
import hashlib
import io
import json
import random
from typing import Any

from comfynb.sandbox.prompt import Prompt

__all__ = ["content_type", "draw_file", "draw_sample"]

MAX_SIDE = 2048
"""Larger pictures are drawn at this side; nobody needs more from a sandbox."""
VIDEO_SIDE = 256
FRAMES = 8

TYPES = {"png": "image/png", "webp": "image/webp", "gif": "image/gif", "txt": "text/plain; charset=utf-8"}


def content_type(filename: str) -> str:
    """Return the type of a file by its name.

    Examples
    --------
    >>> content_type("text2img_00001_.png")
    'image/png'
    """
    return TYPES.get(filename.rpartition(".")[2], "application/octet-stream")


def draw_file(prompt: Prompt, workflow: dict[str, Any] | None, filename: str, files_url: str = "") -> bytes:
    """Draw what a run made.

    Parameters
    ----------
    prompt : Prompt
        What was executed: it decides the picture.
    workflow : dict or None
        The editor's graph, for the picture's metadata.
    filename : str
        Its ending says what is drawn; its number tells the pictures of a batch apart.
    files_url : str
        The server's own address, which must not decide: a picture is the same on every port.

    Returns
    -------
    bytes
        A PNG with the text chunks ``prompt`` and ``workflow``, an animated WebP, or a text.
    """
    if filename.endswith(".txt"):
        return str(prompt.find("text") or "").encode()
    width, height = _size(prompt)
    rng = random.Random(_fingerprint(prompt, filename, files_url))
    if not filename.endswith(".png"):
        return _film(rng, width, height)
    texts = {"prompt": json.dumps(prompt.graph), "workflow": json.dumps(workflow or {})}
    return _png(_paint(rng, width, height), texts)


def draw_sample(name: str) -> bytes:
    """Draw a picture that workflows have as their default."""
    return _png(_paint(random.Random(name), 512, 384), {})


def _fingerprint(prompt: Prompt, filename: str, files_url: str) -> str:
    """Return what a picture depends on: the executed graph, but neither names of files nor of runs."""
    nodes = {
        node_id: {name: value for name, value in node["inputs"].items() if name != "filename_prefix"}
        for node_id, node in prompt.graph.items()
    }
    values = {node_id: repr(value) for node_id, value in prompt.values.items()}
    batch = filename if isinstance(prompt.find("batch_size"), int) and prompt.find("batch_size") != 1 else ""
    text = json.dumps([nodes, values, batch], sort_keys=True, default=repr)
    if files_url:
        text = text.replace(files_url, "")
    return hashlib.sha256(text.encode()).hexdigest()


def _size(prompt: Prompt) -> tuple[int, int]:
    sides = []
    for name in ("width", "height"):
        value = prompt.find(name, last=True)
        side = int(value) if isinstance(value, int | float) and not isinstance(value, bool) else 512
        sides.append(min(MAX_SIDE, max(16, side)))
    return sides[0], sides[1]


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _paint(rng: random.Random, width: int, height: int, turn: float = 0.0) -> Any:
    """Paint a sky of soft colours, a sun, and hills in front of each other."""
    import math

    from PIL import Image, ImageDraw

    hue, spread = rng.random(), rng.uniform(0.08, 0.3)
    corners = [_colour(hue + spread * step, rng.uniform(0.25, 0.6), rng.uniform(0.75, 1.0)) for step in (0, 1, 2, 3)]
    small = Image.new("RGB", (2, 2))
    small.putdata(corners)
    picture = small.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    radius = min(width, height) * rng.uniform(0.07, 0.16)
    x, y = width * rng.uniform(0.2, 0.8), height * rng.uniform(0.15, 0.45)
    y += math.sin(turn) * radius * 0.6
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(hue + 0.5, 0.25, 1.0))
    hills = rng.randint(3, 5)
    for hill in range(hills):
        base = height * (0.45 + 0.5 * hill / hills)
        waves = [(rng.uniform(0.6, 2.4), rng.uniform(0, math.tau), height * rng.uniform(0.02, 0.08)) for _ in range(3)]
        points = [(0.0, float(height))]
        for step in range(49):
            at = step / 48
            lift = sum(
                size * math.sin(math.tau * count * at + phase + turn * (hill + 1) / 2) for count, phase, size in waves
            )
            points.append((width * at, base + lift))
        points.append((float(width), float(height)))
        draw.polygon(points, fill=_colour(hue + spread + 0.06 * hill, 0.35 + 0.1 * hill, 0.75 - 0.13 * hill))
    return picture


def _png(picture: Any, texts: dict[str, str]) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", pnginfo=info, compress_level=1)
    return buffer.getvalue()


def _film(rng: random.Random, width: int, height: int) -> bytes:
    import math

    scale = min(1.0, VIDEO_SIDE / max(width, height))
    size = max(16, round(width * scale)), max(16, round(height * scale))
    seed = rng.getrandbits(64)
    frames = [_paint(random.Random(seed), *size, turn=math.tau * number / FRAMES) for number in range(FRAMES)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=90, loop=0, quality=60, method=0)
    return buffer.getvalue()
