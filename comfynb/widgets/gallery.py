"""What runs made, to look at and to take home: pictures, films, sounds, texts, files."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.display.form import said_html
from comfynb.display.output import gallery_html, gallery_text
from comfynb.errors import ComfyError, InputError
from comfynb.rules.text import tidy
from comfynb.runs.fetching import FOLDER, save
from comfynb.runs.output import Output
from comfynb.runs.transfers import Transfer, downloading
from comfynb.services.results import ResultFile
from comfynb.widgets.closing import close_tree

if TYPE_CHECKING:
    from comfynb.runs.run import Run

__all__ = ["Gallery"]

log = logging.getLogger("comfynb")


class Gallery:
    """What runs made, as a widget. A picture shows in full size when it is clicked; films and sounds have players.

    It shows what was known when it was made; `refresh` asks for more, and for new links where they have expired.

    Parameters
    ----------
    runs : Run or iterable of Run
        Whose outputs are shown, in that order.

    Attributes
    ----------
    runs : tuple of Run
        The runs.

    Examples
    --------
    >>> import comfynb
    >>> ws = comfynb.connect(sandbox=True)
    >>> gallery = ws.run("text2img", prompt="a red fox", seed=7).gallery()
    >>> len(gallery.outputs)
    1
    """

    def __init__(self, runs: Run | Iterable[Run]) -> None:
        from comfynb.runs.run import Run

        self.runs: tuple[Run, ...] = (runs,) if isinstance(runs, Run) else tuple(runs)
        strangers = [type(each).__name__ for each in self.runs if not isinstance(each, Run)]
        if strangers:
            raise InputError(f"A gallery takes runs, such as ws.get_run(id) returns, not a {strangers[0]}.")
        self._box: Any = None
        self._closed = self._busy = False

    # -- what is in it ------------------------------------------------------------------------------------------

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What is in it."""
        return tuple(output for run in self.runs for output in run.outputs)

    def refresh(self) -> Gallery:
        """Ask what the runs have made by now, and for new links."""
        for run in self.runs:
            run.refresh()
        self._update()
        return self

    def download(self, folder: str | Path = FOLDER, *, progress: bool | None = None) -> list[Path]:
        """Save everything into a folder; return the paths, in order. See `Run.download`.

        Parameters
        ----------
        folder : str or pathlib.Path
            Where to; it is made if needed.
        progress : bool, optional
            Whether to show a bar; None shows one where somebody can see it.
        """
        if not self.runs:
            return []
        with downloading(self._title, len(self._files()), progress) as moved:
            return self.runs[0]._face.call(lambda: save(self._chosen(), Path(folder), moved))

    def _chosen(self) -> list[Any]:
        return [(run._tracked, run._tracked.files) for run in self.runs]

    def _files(self) -> list[tuple[ResultFile, str]]:
        several = len(self.runs) > 1
        return [
            (output.file, f"{tidy(run.name, 60)}, run {run.id[:8]}" if several else "")
            for run in self.runs
            for output in run.outputs
        ]

    @property
    def _title(self) -> str:
        if len(self.runs) == 1:
            return f"of {tidy(self.runs[0].name, 80)}"
        return f"of {len(self.runs) or 'no'} runs"

    # -- how it looks -------------------------------------------------------------------------------------------

    @property
    def box(self) -> Any:
        """The widget, an `ipywidgets.VBox`, for layouts of one's own; made when it is first asked for."""
        if self._box is None:
            self._make()
        return self._box

    def _make(self) -> None:
        import ipywidgets as widgets

        self._grid = widgets.HTML()
        self._folder = widgets.Text(
            value=FOLDER, placeholder="folder where the kernel runs", layout=widgets.Layout(width="320px")
        )
        self._save = widgets.Button(
            description="Download", icon="download", tooltip="Save all of it into the folder, where the kernel runs"
        )
        self._again = widgets.Button(
            description="Refresh", icon="refresh", tooltip="Ask for more, and for new links where they have expired"
        )
        self._bar = widgets.FloatProgress(
            min=0.0, max=1.0, layout=widgets.Layout(width="200px", display="none", flex="0 0 auto")
        )
        self._said = widgets.HTML()
        self._save.on_click(lambda _: self._press_save())
        self._again.on_click(lambda _: self._press_again())
        self._controls = widgets.HBox(
            [self._save, self._folder, self._again, self._bar], layout=widgets.Layout(flex_flow="row wrap")
        )
        self._box = widgets.VBox([self._grid, self._controls, self._said])
        self._update()

    def _update(self) -> None:
        if self._box is None or self._closed:
            return
        text = self._repr_html_()
        if text != self._grid.value:
            self._grid.value = text
        self._save.disabled = self._busy or not self.outputs
        self._again.disabled = self._busy or not self.runs

    def _press_save(self) -> None:
        folder = Path(self._folder.value.strip() or FOLDER)
        transfer = Transfer(len(self._files()))
        self._bar.value = 0.0

        def moved(name: str, come: int, size: int) -> None:
            transfer.move(name, come, size)
            if transfer.share - self._bar.value >= 0.02:  # a few dozen messages, however many pieces there are
                self._bar.value = transfer.share

        async def run() -> str:
            paths = await save(self._chosen(), folder, moved)
            return f"{transfer.end}, in {folder.expanduser().absolute()}" if paths else "There is nothing to save."

        self._start(run, bar=True)

    def _press_again(self) -> None:
        async def run() -> str:
            for each in self.runs:
                await each._tracked.look()
            return ""

        self._start(run)

    def _start(self, function: Any, *, bar: bool = False) -> None:
        """Do what a button is for on comfynb's thread, so that the kernel is free."""
        if self._busy or self._closed:
            return
        self._busy = True
        self._bar.layout.display = None if bar else "none"
        self._said.value = ""
        self._update()

        async def work() -> None:
            try:
                self._said.value = said_html(await function(), "plain")
            except ComfyError as error:
                self._said.value = said_html(str(error), "bad")
            except Exception as error:  # whatever it is, a person who waits has to hear of it
                log.exception("a gallery could not do what its button is for")
                self._said.value = said_html(f"It did not work: {type(error).__name__}: {error}", "bad")
            finally:
                self._busy = False
                self._bar.layout.display = "none"
                self._update()

        self.runs[0]._face.start(work)

    def close(self) -> None:
        """Take the widget away."""
        self._closed = True
        if self._box is not None:
            close_tree(self._box)

    def __repr__(self) -> str:
        return gallery_text(self._title, self._files())

    def _repr_html_(self) -> str:
        return gallery_html(self._title, self._files())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        plainly = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if self._closed:
            return plainly
        return {**(self.box._repr_mimebundle_() or {}), **plainly}
