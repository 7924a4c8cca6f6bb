"""What the screen does where it is not a terminal."""

import pytest

from local.screen import Screen

LONG = "word " * 60 + "end"


def test_sentences_stay_whole_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A long sentence and a long error are one line each; the error goes to standard error."""
    screen = Screen()
    screen.say(LONG)
    screen.error(LONG)
    assert (f"  {LONG}\n", f"{LONG}\n") == capsys.readouterr()
