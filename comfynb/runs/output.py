"""One thing that a run made: a picture, a video, a text, a file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.display.output import output_html
from comfynb.errors import NotFoundError
from comfynb.rules.text import tidy
from comfynb.runs.used import used_values_of
from comfynb.services.results import ResultFile

if TYPE_CHECKING:
    from PIL.Image import Image

    from comfynb.core import Core

_WIDEST = 1600
"""Pixels of a picture in a notebook; it is kept there, and `save` has all of it."""


class Output:
    """One thing that a run made.

    Attributes
    ----------
    file : ResultFile
        What the server says of it.
    kind : str
        "image", "video", "audio", "3d", "text" or "file".
    filename : str
        The server's name for it.
    text : str or None
        The text itself, where it came with the answer.
    node_id, node_class : str or None
        The node that made it.
    output_id : str or None
        The name that the workflow gives it.
    run_id : str
        The run that made it.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> output = ws.run("text2img", prompt="a red fox", seed=7, width=256, height=192).outputs[0]
    >>> output.kind, output.to_pil().size, output.used_inputs()["seed"]
    ('image', (256, 192), 7)
    """

    def __init__(
        self,
        file: ResultFile,
        core: Core,
        *,
        content: bytes | None = None,
        saved: dict[tuple[str | None, str, str | None], Path] | None = None,
    ) -> None:
        self.file = file
        self._core = core
        self._content = content
        self._saved = {} if saved is None else saved
        self.kind = file.kind
        self.filename = file.filename
        self.text = file.text
        self.node_id = file.node_id
        self.node_class = file.node_class
        self.output_id = file.output_id
        self.run_id = file.run_id

    @property
    def url(self) -> str | None:
        """Where it is. Links of private outputs expire; its methods fetch a new one then, as `run.refresh()` does."""
        return self.file.url

    @property
    def path(self) -> Path | None:
        """Where it was saved last on this machine, by this process; None if it was not."""
        return self._saved.get(self.file.key)

    def to_bytes(self) -> bytes:
        """Return its content, fetched once; by a new link, where the old one has expired.

        Raises
        ------
        ApiError, TransportError
            If it cannot be fetched.
        """
        if self._content is None:
            self._content = self._core.face.call(lambda: self._core.comfyui.downloads.read(self.file))
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
        """Save it into a folder, which is made if needed, and return its path.

        Raises
        ------
        NotFoundError
            If only its machine has it.
        ApiError, TransportError
            If it cannot be fetched; no half file is left then.
        """
        downloads = self._core.comfyui.downloads
        saved = self._core.face.call(lambda: downloads.save([self.file], Path(folder)))
        if not saved:
            raise NotFoundError(f"The output {tidy(self.filename, 80)!r} was not uploaded, so only its machine has it.")
        self._saved[self.file.key] = saved[0].path
        return saved[0].path

    def used_inputs(self) -> dict[str, Any]:
        """Return what this picture was really made with, seeds included, from its metadata.

        Raises
        ------
        NotFoundError
            If it has none: it is no PNG, or its machine is set up not to write any.
        """

        async def used() -> dict[str, Any]:
            run = await self._core.comfyui.check_status(self.run_id)
            return await used_values_of(self._core, run, [self.file], run.workflow_inputs or {})

        return self._core.face.call(used)

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
            picture.thumbnail((_WIDEST, _WIDEST))
            buffer = io.BytesIO()
            picture.convert("RGBA" if picture.mode in ("RGBA", "P", "LA") else "RGB").save(buffer, "PNG")
            bundle["image/png"] = buffer.getvalue()
        else:
            bundle["text/html"] = output_html(self.file)
        return bundle
