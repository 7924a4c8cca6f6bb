"""For every test: the AWS setup of whoever runs it does not exist."""

import gc
import os
from typing import TYPE_CHECKING

import pytest

from tests.sharing import DirectoryScheduling, scheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

TABLE = "table"
"""The name of a property that a test records to have it shown, whether it passes or not."""

LONGEST_FIRST = (
    "tests/conformance/test_channels.py",
    "tests/conformance/test_document.py",
    "tests/distribution/test_example.py",
    "tests/local/world/",
    "tests/local/test_whole_commands.py",
    "tests/services/test_handler_time.py",
    "tests/infra/test_app.py",
    "tests/infra/test_package_contents.py",
    "tests/faults/test_grid.py",
    "tests/faults/test_grid_stories.py",
)
"""Files of which each takes a worker 15 seconds or more: last, they would be waited for alone.

A directory stands for all of its files."""


def pytest_configure() -> None:
    """Forget the user's AWS variables, lead AWS's SDKs past the user's files; no garbage as yet."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.devnull
    os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; the rest stays in its order."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    begins = (rank for rank, name in enumerate(LONGEST_FIRST) if nodeid.startswith(name))
    return next(begins, len(LONGEST_FIRST))


def pytest_collection_finish() -> None:
    """Look for garbage from now on, and not among what was collected and imported.

    That stays to the end, and is so much that a tenth of the whole time went into looking at it.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: "Producer"
) -> DirectoryScheduling | None:
    """Keep together what shares a started local cloud."""
    return scheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the tables that tests recorded."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)]
    tables = [text for report in reports for name, text in report.user_properties if name == TABLE]
    for table in sorted(map(str, tables)):
        title, *lines = table.splitlines()
        terminalreporter.section(title, sep="-")
        terminalreporter.write_line("\n".join(lines))
