"""One thing that a run made: a picture, a video, a text, a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.rules.text import tidy
from comfynb.services.downloads import read_file, save_files
from comfynb.services.results import ResultFile

if TYPE_CHECKING:
    from PIL.Image import Image

    from comfynb.core import Core


class Output:
    """One thing that a run made.

    Attributes
    ----------
    kind : str
        "image", "video", "audio", "3d", "text" or "file".
    filename : str
        The server's name for it.
    url : str or None
        Where it is; links of private outputs expire, and `run.refresh()` brings new ones.
    text : str or None
        The text itself, where it came with the answer.
    node_id, node_class : str or None
        The node that made it.
    output_id : str or None
        The name that the workflow gives it.
    """

    def __init__(self, file: ResultFile, core: Core, content: bytes | None = None) -> None:
        self._file = file
        self._core = core
        self._content = content
        self.kind = file.kind
        self.filename = file.filename
        self.url = file.url
        self.text = file.text
        self.node_id = file.node_id
        self.node_class = file.node_class
        self.output_id = file.output_id
        self.run_id = file.run_id

    def to_bytes(self) -> bytes:
        """Return its content, fetched once.

        Raises
        ------
        ApiError, TransportError
            If it cannot be fetched.
        """
        if self._content is None:
            transport = self._core.comfyui.client.transport
            self._content = self._core.face.call(lambda: read_file(self._file, transport))
        return self._content

    def to_pil(self) -> Image:
        """Return a picture as a `PIL.Image.Image`.

        Raises
        ------
        ValueError
            If it is no picture that Pillow can read.
        """
        from PIL import Image

        try:
            picture = Image.open(io.BytesIO(self.to_bytes()))
            picture.load()
        except OSError as error:
            raise ValueError(f"The output {tidy(self.filename, 80)!r} is no picture that can be read.") from error
        return picture

    def save(self, folder: str | Path = "comfynb-outputs") -> Path:
        """Save it into a folder, and return its path."""
        transport = self._core.comfyui.client.transport
        return self._core.face.call(lambda: save_files([self._file], Path(folder), transport))[0]

    def __repr__(self) -> str:
        where = f" of {tidy(self.node_class or 'node ' + str(self.node_id), 60)}" if self.node_id else ""
        return f"<Output {self.kind} {tidy(self.filename, 80)!r}{where}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        if self.kind == "image":
            try:
                picture = self.to_pil()
            except Exception:  # a display must not fail; the text is shown
                return bundle
            buffer = io.BytesIO()
            picture.convert("RGBA" if picture.mode in ("RGBA", "P", "LA") else "RGB").save(buffer, "PNG")
            bundle["image/png"] = buffer.getvalue()
        return bundle
