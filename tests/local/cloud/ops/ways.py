"""Which command is tested in which way."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar, get_args

import typer.main
from typer.core import TyperGroup

from ops.cli import app

F = TypeVar("F", bound=Callable[..., object])
Way = Literal["done", "refused", "interrupted"]
"""How a command can end."""
WAYS = frozenset(get_args(Way))

covered: defaultdict[str, set[Way]] = defaultdict(set)
"""The ways that the imported tests cover, by command."""


def exercises(way: Way, *names: str) -> Callable[[F], F]:
    """Declare that a test covers commands, such as `dlq list`, in a way."""
    for name in names:
        covered[name].add(way)
    return lambda test: test


def commands(command: object = None, *path: str) -> Iterator[str]:
    """Yield every command of the operator CLI, or those of a group."""
    command = command or typer.main.get_command(app)
    if isinstance(command, TyperGroup):
        for name, sub in command.commands.items():
            yield from commands(sub, *path, name)
    else:
        yield " ".join(path)
