"""What a person sees on terminals of different widths: nothing that has to be copied is broken."""

import io
import json

import pytest
from rich.console import Console

from ops.screen import Screen

ID = "demo-company#spring-intake#req-0001"
SID = "SM" + "0" * 32
ROWS = [
    {"conversation": ID, "sid": SID, "hours_since_the_send": 2.0, "reason": "asked for by phone"},
    {"conversation": ID, "sid": SID, "hours_since_the_send": 12.5, "reason": ""},
]


def shown(width: int, rows: list[dict[str, object]]) -> list[str]:
    """The lines that rows are shown as."""
    screen, output = Screen(), io.StringIO()
    screen.console = Console(file=output, width=width, highlight=False)
    screen.rows(rows)
    return [line.rstrip() for line in output.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 95, 100, 120, 200])
def test_ids_stay_whole(width: int) -> None:
    """On any terminal that one of them fits on, each stands in one piece, within the width."""
    lines = shown(width, ROWS)
    assert [2, 2] == ["\n".join(lines).count(each) for each in (ID, SID)]
    assert max(map(len, lines)) <= width


def test_a_table_folds_prose_and_headings_alone() -> None:
    """Where the words fit side by side, texts and headings are folded between words."""
    lines = shown(100, ROWS)
    assert f"  {ID}   {SID}     2.0   asked" in "\n".join(lines)
    assert "conversation" in "\n".join(lines)


def test_on_a_narrow_terminal_rows_stand_one_below_the_other() -> None:
    """Each field has a line of its own, and an empty line stands between two rows."""
    lines = shown(70, ROWS)
    assert f"  conversation            {ID}" == lines[0]
    assert "  hours since the send    2.0" == lines[2]
    assert [""] == [line for line in lines if not line]


def test_steps_are_whole_lines() -> None:
    """A command that is told can be copied, however narrow the terminal is."""
    screen, output = Screen(), io.StringIO()
    screen.console = Console(file=output, width=40, highlight=False)
    screen.steps([f"unknown resolve '{ID}' --sent {SID}"])
    assert f"  → unknown resolve '{ID}' --sent {SID}\n" in output.getvalue()


def test_programs_get_the_document_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json nothing that is meant for people stands beside it."""
    screen = Screen(as_json=True)
    screen.heading("next")
    screen.say("done")
    screen.fields({"records": 1})
    screen.rows(ROWS)
    screen.steps(["dlq list"])
    assert "" == capsys.readouterr().out
    screen.result({"records": 1})
    assert {"records": 1} == json.loads(capsys.readouterr().out)


def test_lists_are_words() -> None:
    """A list of ids is told as one, an empty one as nothing."""
    screen, output = Screen(), io.StringIO()
    screen.console = Console(file=output, width=80, highlight=False)
    screen.fields({"records": ["one", "two"], "threads": ()})
    assert ["records    one, two", "threads    –"] == [
        line.strip() for line in output.getvalue().splitlines()
    ]
