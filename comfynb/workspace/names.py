"""`ws.names`: what workflows are called, here and elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfynb.core import Core
from comfynb.core.names import Names
from comfynb.face import Twin, reads
from comfynb.rules.names_table import NamesTable
from comfynb.standardizing import standardize_workflow_name

if TYPE_CHECKING:
    from comfynb.widgets.names_review import NamesReview


def _names(namespace: WorkspaceNames) -> Names:
    return namespace._names


class WorkspaceNames:
    """The names of a workspace's workflows: standard ones, those of a database, and which mean the same.

    Parameters
    ----------
    core : Core
        The workspace.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._face = core.face
        self._names = Names(core.catalogue)

    @property
    def aio(self) -> Twin:
        """The methods that ask the server as coroutine functions, for any event loop."""
        return Twin(self, "ws.names")

    table = reads(_names, Names.table)
    compare = reads(_names, Names.compare)
    suggest = reads(_names, Names.suggest)
    source_name = reads(_names, Names.source_name)

    def standardize(self, name: Any) -> Any:
        """Return the standard name of a name, or of a column of names: the table of names goes before the rule.

        Parameters
        ----------
        name : str or pandas.Series
            As `comfynb.standardize_workflow_name` takes it.

        Returns
        -------
        str or pandas.Series
            As `comfynb.standardize_workflow_name` returns it.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True, names=comfynb.example_names())
        >>> ws.names.standardize("Upscale ESRGAN")
        'upscale'
        """
        return standardize_workflow_name(name, self.in_use)

    def review(self, database: Any = None, path: str | Path | None = None, *, column: str | None = None) -> NamesReview:
        """Return a widget to accept or change each row of `suggest`, and to save the table of names.

        Parameters
        ----------
        database : list, Series, DataFrame or path, optional
            As `compare` takes it.
        path : str or pathlib.Path, optional
            The file; by default the one in use, else `workflow-names.toml` in the working directory. Its comments, and
            rows that are not in question, stay as they are.
        column : str, optional
            As `compare` takes it.

        Returns
        -------
        NamesReview
            Also without a browser: its rows can be accepted and saved by methods.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> review = ws.names.review(["in paint"])
        >>> review.accept("in paint", standard="inpaint").problem
        ''
        """
        from comfynb.widgets.names_review import NamesReview

        return NamesReview(self.suggest(database, column=column), path or self.path)

    @property
    def in_use(self) -> NamesTable:
        """The table of names that holds now; its file is read again if it has changed."""
        return self._core.catalogue.names.get()

    @property
    def path(self) -> Path | None:
        """The file that holds now; None where there is none."""
        return self._core.catalogue.names.path

    def __repr__(self) -> str:
        from comfynb.display.names import names_text

        return names_text(self.in_use, self.path)

    def _repr_html_(self) -> str:
        from comfynb.display.names import names_html

        return names_html(self.in_use, self.path)
