"""The console: ids and commands are never broken, on terminals of any width."""

import io
import json

import pytest
import rich.console

from ops.console import Console

ID = "demo-company#spring-intake#req-0001"
SID = "SM" + "0" * 32
ROWS = [
    {"conversation": ID, "sid": SID, "hours_since_send": 2.0, "reason": "asked for by phone"},
    {"conversation": ID, "sid": SID, "hours_since_send": 12.5, "reason": ""},
]


def console(width: int) -> tuple[Console, io.StringIO]:
    """Return a console of a width, and what it prints."""
    output = io.StringIO()
    return Console(output=rich.console.Console(file=output, width=width, highlight=False)), output


def shown(width: int) -> list[str]:
    """Return the lines that `ROWS` are shown as."""
    screen, output = console(width)
    screen.rows(ROWS)
    return [line.rstrip() for line in output.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 95, 100, 120, 200])
def test_ids_are_not_broken(width: int) -> None:
    """Wherever one of them fits, each is shown in one piece within the width."""
    lines = shown(width)
    assert [2, 2] == ["\n".join(lines).count(each) for each in (ID, SID)]
    assert max(map(len, lines)) <= width


def test_rows_are_a_table_or_blocks() -> None:
    """A table wraps only prose and headings; a narrow terminal gets a line for each field."""
    assert f"  {ID}   {SID}     2.0   asked" in "\n".join(shown(100))
    lines = shown(70)
    assert f"  conversation        {ID}" == lines[0]
    assert "  hours since send    2.0" == lines[2]
    assert [""] == [line for line in lines if not line]


def test_steps_are_not_wrapped() -> None:
    """A command in a step can be copied from a narrow terminal."""
    screen, output = console(40)
    screen.steps([f"unknown resolve '{ID}' --sent {SID}"])
    assert f"  → unknown resolve '{ID}' --sent {SID}\n" in output.getvalue()


def test_programs_get_only_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json nothing else is on standard output."""
    screen = Console(as_json=True)
    screen.heading("next steps")
    screen.say("done")
    screen.fields({"records": 1})
    screen.rows(ROWS)
    screen.steps(["dlq list"])
    assert "" == capsys.readouterr().out
    screen.result({"records": 1, "names": {"a"}})
    assert {"records": 1, "names": ["a"]} == json.loads(capsys.readouterr().out)


def test_values_are_readable() -> None:
    """Lists are comma-separated, empty values a dash, booleans words."""
    screen, output = console(80)
    screen.fields({"records": ["one", "two"], "threads": (), "complete": True})
    assert ["records     one, two", "threads     –", "complete    yes"] == [
        line.strip() for line in output.getvalue().splitlines()
    ]
