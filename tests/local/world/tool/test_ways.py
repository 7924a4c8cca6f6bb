"""No command is forgotten."""

import pytest

from tests.local.world.tool.ways import Way, commands, exercised


@pytest.mark.parametrize("command", list(commands()))
def test_a_command_is_exercised_each_way(command: str) -> None:
    """It is done, it is refused, and it is interrupted, on the local cloud."""
    assert set(Way) == exercised().get(command, frozenset())


def test_what_is_exercised_is_a_command() -> None:
    """A cell of the table that names no command says nothing."""
    assert set(exercised()) <= set(commands())
