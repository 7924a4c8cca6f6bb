"""Which test covers which command in which way."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

import typer.main
from typer.core import TyperGroup

from ops.cli import app
from tests.local.cloud import tool

F = TypeVar("F", bound=Callable[..., object])


class Way(StrEnum):
    """How a command can end."""

    DONE = "done"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


def exercises(way: Way, *commands: str) -> Callable[[F], F]:
    """Declare that a test covers commands, such as `dlq list`, in a way."""

    def note(test: F) -> F:
        cells: set[tuple[str, Way]] = getattr(test, "exercises", set())
        test.exercises = cells | {(command, way) for command in commands}  # type: ignore[attr-defined]  # read by exercised
        return test

    return note


def commands() -> Iterator[str]:
    """Yield every command of the tool."""
    return _commands(typer.main.get_command(app))


def exercised() -> Mapping[str, frozenset[Way]]:
    """Return the ways that the tests of this package cover, by command."""
    cells: set[tuple[str, Way]] = set()
    for found in iter_modules(tool.__path__):
        if found.name.startswith("test_"):
            module = import_module(f"{tool.__name__}.{found.name}")
            for test in vars(module).values():
                cells |= getattr(test, "exercises", set())
    return {name: frozenset(way for command, way in cells if command == name) for name, _ in cells}


def _commands(command: object, *path: str) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for name, sub in command.commands.items():
            yield from _commands(sub, *path, name)
    else:
        yield " ".join(path)
