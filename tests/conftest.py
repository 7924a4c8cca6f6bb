"""For all tests: no AWS configuration of the user, and the order and distribution of files."""

import gc
import os
from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

TABLE = "table"
"""Name of the property with a table that a test records for the terminal summary."""

SHARING = (
    "tests/local/cloud/",
    "tests/local/console/",
    "tests/local/emulator/",
    "tests/conformance/",
)
"""Directories whose tests all run in one process, since they share what it has started."""

LONGEST_FIRST = (
    "tests/conformance/",
    "tests/distribution/",
    "tests/local/cloud/",
    "tests/local/emulator/",
    "tests/services/test_handler_time.py",
    "tests/services/test_handler_bodies.py",
    "tests/services/test_handler.py",
    "tests/infra/test_app.py",
    "tests/infra/test_package_contents.py",
    "tests/faults/test_process_faults.py",
    "tests/faults/test_model.py",
    "tests/faults/test_mutants.py",
    "tests/ops/test_endings.py",
    "tests/privacy/",
)
"""Files that take a worker 10 seconds or more; started last, they would run alone at the end.

A directory stands for all of its files."""


SHARED_FOLDER = "TESTS_SHARED_FOLDER"
"""Name of the variable with the folder that all processes of a run share."""

# Reproducible and without files: a failure is due to the change at hand.
settings.register_profile("tests", deadline=None, database=None, derandomize=True)
settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    """Remove the user's AWS configuration; collect no garbage while tests are imported."""
    if not hasattr(config, "workerinput"):
        folder = TemporaryDirectory(prefix="tests-")
        config.add_cleanup(folder.cleanup)
        os.environ[SHARED_FOLDER] = folder.name
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    patch.object(JSONFileLoader, "load_file", _load_once).start()  # for the whole run
    gc.disable()


_load_file = JSONFileLoader.load_file


@cache
def _file(path: str) -> Any:
    return _load_file(JSONFileLoader(), path)


def _load_once(_: JSONFileLoader, file_path: str) -> Any:
    """Read each of AWS's service models once per process, not once per session."""
    return _file(file_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest files."""
    items.sort(key=lambda item: [not item.nodeid.startswith(name) for name in LONGEST_FIRST])


def pytest_collection_finish() -> None:
    """Collect garbage from now on, except among what was imported.

    That is never freed, and examining it took a tenth of the whole time.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


class DirectoryScheduling(LoadFileScheduling):
    """Distributes by file like `--dist loadfile`, but each directory of `SHARING` counts as one."""

    def _split_scope(self, nodeid: str) -> str:
        shared = [directory for directory in SHARING if nodeid.startswith(directory)]
        return shared[0] if shared else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: "Producer"
) -> DirectoryScheduling | None:
    """Return the scheduling for `--dist loadfile`, else None for the default."""
    by_file = config.getoption("dist") == "loadfile"
    return DirectoryScheduling(config, log) if by_file else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the tables that tests recorded, whether they passed or not."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind)]
    tables = [text for report in reports for name, text in report.user_properties if name == TABLE]
    for table in sorted(map(str, tables)):
        title, *lines = table.splitlines()
        terminalreporter.section(title, sep="-")
        terminalreporter.write_line("\n".join(lines))
