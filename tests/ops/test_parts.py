"""Parts of the tool that need no AWS."""

import inspect
import json
from pathlib import Path

import pytest
import typer

from ops.cli import app
from ops.errors import OperatorError
from ops.pace import Pace, Stopped
from ops.queueing import message_group
from ops.surroundings import Surroundings
from tests.ops.calls import check_call


def test_a_pace_is_kept_by_all_together() -> None:
    """Turns come evenly, and none before its time."""
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(round(seconds, 3))
        return False

    pace = Pace(5, clock=lambda: 100.0, wait=wait)
    for _ in range(4):
        pace.turn()
    assert [0.0, 0.2, 0.4, 0.6] == waits


def test_a_pace_that_is_called_off_lets_nobody_through() -> None:
    """Whoever waits gives up."""
    pace = Pace(0)
    pace.stop()
    with pytest.raises(Stopped):
        pace.turn()


@pytest.mark.parametrize("company", ["demo-company", "A" * 128, "with blank", "ü", "x" * 200])
def test_every_tenant_has_a_message_group(company: str) -> None:
    """SQS takes up to 128 printable characters; a tenant with another id has its own group too."""
    group = message_group(company)
    assert 0 < len(group) <= 128
    assert group.isascii()
    assert " " not in group


def test_a_dead_local_cloud_is_none(tmp_path: Path) -> None:
    """What a local cloud left behind is not taken for one that runs."""
    state = tmp_path / "running.json"
    for text in ("", json.dumps({"pid": 2**22 + 1})):
        state.write_text(text)
        with pytest.raises(OperatorError, match="make local"):
            Surroundings.of_local_cloud(state)


def _commands(group: typer.Typer, *path: str) -> list[tuple[str, str]]:
    own = [
        (" ".join((*path, str(each.name))), inspect.getdoc(each.callback) or "")
        for each in group.registered_commands
    ]
    below = [
        found
        for each in group.registered_groups
        if each.typer_instance
        for found in _commands(each.typer_instance, *path, str(each.name))
    ]
    return own + below


@pytest.mark.parametrize(("name", "help_text"), _commands(app))
def test_every_command_teaches_by_example(name: str, help_text: str) -> None:
    """Its help shows calls of it."""
    assert f"python -m ops {name}" in help_text


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["dlq", "nothing"], ["dlq", "drop"], ["status", "--nothing"], ["send", "x.json"]],
)
def test_a_call_that_the_tool_does_not_know_is_found(arguments: list[str]) -> None:
    """The check that the documents' calls go through can fail."""
    with pytest.raises(Exception, match=r"nothing|Missing|No such file"):
        check_call(arguments)
