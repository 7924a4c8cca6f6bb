"""Which test takes which command which way: the table of what is exercised."""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

import typer.main
from typer.core import TyperGroup

from ops.cli import app
from tests.local.world import tool

EXERCISES = "exercises"
"""The attribute of a test that holds its cells of the table."""

F = TypeVar("F", bound=Callable[..., object])


class Way(StrEnum):
    """How a command's call can go."""

    DONE = "done"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


def exercises(way: Way, *commands: str) -> Callable[[F], F]:
    """Say of a test that it takes these commands this way.

    Args:
        way: How the call goes.
        commands: As they are typed, such as `dlq list`.
    """

    def note(test: F) -> F:
        cells: set[tuple[str, Way]] = getattr(test, EXERCISES, set())
        setattr(test, EXERCISES, cells | {(command, way) for command in commands})
        return test

    return note


def commands() -> Iterator[str]:
    """Every command of the tool, as it is typed."""
    return _commands(typer.main.get_command(app))


def exercised() -> Mapping[str, frozenset[Way]]:
    """The ways in which the tests of this package take each command."""
    cells = [cell for test in _tests() for cell in getattr(test, EXERCISES, ())]
    return {name: frozenset(way for command, way in cells if command == name) for name, _ in cells}


def _commands(command: object, *path: str) -> Iterator[str]:
    if isinstance(command, TyperGroup):
        for name, sub in command.commands.items():
            yield from _commands(sub, *path, name)
    else:
        yield " ".join(path)


def _tests() -> Iterator[Any]:
    for found in iter_modules(tool.__path__):
        if found.name.startswith("test_"):
            module = import_module(f"{tool.__name__}.{found.name}")
            yield from (thing for name, thing in vars(module).items() if name.startswith("test_"))
