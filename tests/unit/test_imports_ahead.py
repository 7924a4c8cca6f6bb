"""What only a message needs is imported before one needs it."""

import sys
import threading
from pathlib import Path

import pytest

from lambda_src.utils.imports_ahead import ON_DEMAND, import_ahead

NAME = "imported_ahead_in_a_test"


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that says which thread imported it."""
    (tmp_path / f"{NAME}.py").write_text(
        "import threading\nIMPORTED_BY = threading.current_thread().name\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, NAME, raising=False)


def _imported_by() -> str:
    name: str = sys.modules[NAME].IMPORTED_BY
    return name


def test_a_message_that_waits_is_begun_with_meanwhile() -> None:
    """A start for which a message waits does not wait for the imports: a thread makes them."""
    import_ahead((NAME,), ON_DEMAND)
    for thread in threading.enumerate():
        if thread.name == "imports-ahead":
            thread.join()

    assert "imports-ahead" == _imported_by()


@pytest.mark.parametrize("initialization", ["snap-start", "provisioned-concurrency"])
def test_a_start_ahead_of_messages_imports_everything(initialization: str) -> None:
    """A snapshot, and an environment made in advance, hold all imports already."""
    import_ahead((NAME,), initialization)

    assert threading.current_thread().name == _imported_by()
