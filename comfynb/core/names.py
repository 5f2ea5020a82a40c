"""The names of a workspace: what stands, how they compare with those of a database, and what is proposed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from comfynb.api.models import Workflow
from comfynb.errors import AmbiguousNameError, InputError, NotFoundError
from comfynb.notices import notice
from comfynb.rules.lookup import Candidate, nearest
from comfynb.rules.names_table import SOURCES, Source
from comfynb.rules.naming import display_name
from comfynb.services.cache import Entry
from comfynb.services.workflows import WorkflowsService
from comfynb.warnings import PartialResultWarning

if TYPE_CHECKING:
    import pandas as pd

    from comfynb.core.databases import DatabaseNames
    from comfynb.rules.names_suggest import NamesSuggestion


class Names:
    """Reads workflows, and says what their names are.

    Parameters
    ----------
    catalogue : WorkflowsService
        Where they are read; it knows the table of names.
    """

    def __init__(self, catalogue: WorkflowsService) -> None:
        self._catalogue = catalogue

    async def table(self, *, refresh: bool = False) -> pd.DataFrame:
        """Return all workflows with their standard names, and which others have the same one.

        Parameters
        ----------
        refresh : bool
            Ask the server even if the answer is known.

        Returns
        -------
        pandas.DataFrame
            One row a workflow, by standard name; ``comfynb.TABLES["standard_names"].describe()`` tells the columns.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True, names=comfynb.example_names())
        >>> ws.names.table().query("standard_name == 'text2img'")["name"].tolist()
        ['MAKEIMAGE', 'Text to Image', 'text2img']
        """
        entry = await self._catalogue.workflows.entry(refresh=refresh)
        from comfynb.frames.names import standard_names_frame

        return standard_names_frame(
            _candidates(entry), self._catalogue.names.get(), source=self._source, as_of=_as_of(entry)
        )

    async def compare(self, database: Any, *, column: str | None = None) -> pd.DataFrame:
        """Compare the names of the workflows with those that a database has.

        Names are matched by the first of these that fits: exact name, name without regard to case, standard name by the
        rule, standard name by the table of names. Names that are only alike are paired as "fuzzy", as a suggestion:
        nothing else makes use of that.

        Parameters
        ----------
        database : list, Series, DataFrame, or path of a CSV, JSON or Parquet file
            Names; of a live database, what `pandas.read_sql` returns.
        column : str, optional
            The column of a table that has the names; by default ``name``, else the first that has texts.

        Returns
        -------
        pandas.DataFrame
            One row for each pair of names and each name without a partner, by standard name;
            ``comfynb.TABLES["names"].describe()`` tells the columns. `df.attrs` has `database`, where the names are
            from, and `remarks`, sentences about cells that hold no name, which are left out, and about names that are
            there twice.

        Raises
        ------
        InputError
            If there is no such file or column.
        ConfigurationError
            For a Parquet file without pyarrow.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> ws.names.compare(["makeimage", "poster print"]).dropna()[["name", "database_name", "match"]].values.tolist()
        [['poster print (BROKEN)', 'poster print', 'fuzzy']]
        """
        entry = await self._catalogue.workflows.entry()
        listed = self._read(database, column)
        from comfynb.frames.names import names_frame
        from comfynb.rules.names_compare import compare_names

        pairs = compare_names(_candidates(entry), listed.names, self._catalogue.names.get())
        frame = names_frame(pairs, source=self._source, as_of=_as_of(entry))
        frame.attrs["database"] = listed.label
        frame.attrs["remarks"] = [*listed.lacking, *listed.repeated]
        return frame

    async def suggest(self, database: Any = None, *, column: str | None = None) -> NamesSuggestion:
        """Propose a table of names: every name with its standard name, what is sure apart from what is to be decided.

        Parameters
        ----------
        database : list, Series, DataFrame or path, optional
            As `compare` takes it; without it, the workflows alone.
        column : str, optional
            As `compare` takes it.

        Returns
        -------
        NamesSuggestion
            `.toml()` is the text of a file, in which what is to be decided is a comment; `.table` has the sure rows,
            for ``connect(names=…)``.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> ws.names.suggest(["In-Paint", "inpaint"]).table.source_name("inpaint", "database")
        'inpaint'
        """
        entry = await self._catalogue.workflows.entry()
        listed = self._read(database, column) if database is not None else None
        from comfynb.rules.names_compare import compare_names
        from comfynb.rules.names_suggest import NamesSuggestion

        names = self._catalogue.names.get()
        pairs = compare_names(_candidates(entry), listed.names if listed is not None else (), names)
        return NamesSuggestion.of(pairs, names, one_sided=listed is None)

    async def source_name(self, name: str, source: Source) -> str:
        """Return what a standard name, or any name that means it, is called in the API or in the database.

        Parameters
        ----------
        name : str
            The standard name.
        source : {"api", "database"}
            In the API it is the workflow that the name stands for, unless the table of names says which it is. In the
            database it is what that table says.

        Raises
        ------
        NotFoundError
            If nothing is called so there, or the table of names does not say.
        AmbiguousNameError
            If several workflows have that standard name.

        Examples
        --------
        >>> import comfynb
        >>> ws = comfynb.connect(sandbox=True)
        >>> ws.names.source_name("img2vid_wan_2_1", "api")
        'img2vid - wan 2.1'
        """
        if source not in SOURCES:
            raise InputError(f"{source!r} is no source of names; give 'api' or 'database'.")
        names = self._catalogue.names.get()
        standard = names.standardize(name)
        called = names.source_name(standard, source)
        if source == "database":
            if called is None:
                raise NotFoundError(
                    f'The table of names does not say what the database calls {standard!r}: database = "…" below '
                    f"[names.{standard}] says it, and ws.names.suggest(database) proposes it."
                )
            return called
        if called is None:
            return (await self._catalogue.workflows.find(standard)).name or standard
        everything = await self._catalogue.workflows.all()
        found = [workflow for workflow in everything if workflow.name == called]
        if len(found) == 1:
            return called
        if found:
            raise AmbiguousNameError(
                f"{len(found)} workflows are called {display_name(called)!r}: {', '.join(w.id for w in found)}.",
                candidates=[(called, w.id) for w in found],
            )
        raise NotFoundError(
            f"No workflow is called {display_name(called)!r}, which the table of names says of {standard!r}.",
            near=nearest(called, [workflow.name or "" for workflow in everything]),
        )

    @property
    def _source(self) -> str:
        return str(self._catalogue.client.transport.address)

    def _read(self, database: Any, column: str | None) -> DatabaseNames:
        from comfynb.core.databases import read_database

        listed = read_database(database, column)
        if listed.lacking:
            notice(
                PartialResultWarning(f"Cells of the database without a name are left out: {'; '.join(listed.lacking)}.")
            )
        return listed


def _candidates(entry: Entry[list[Workflow]]) -> list[Candidate]:
    return [Candidate(workflow.id, workflow.name or "") for workflow in entry.value]


def _as_of(entry: Entry[Any]) -> datetime:
    return datetime.fromtimestamp(int(entry.stored), UTC)
