"""The planner's command line."""

import pytest
from typer.testing import CliRunner

from planner.cli import app

runner = CliRunner(env={"COLUMNS": "120", "TERM": "dumb"})


def test_a_plan_is_shown() -> None:
    """A load that is carried has its calls, its limits with their sources, and its cost shown."""
    done = runner.invoke(app, ["plan", "--messages-per-day", "1e6", "--messages-per-second", "80"])

    assert 0 == done.exit_code
    for part in ("maximum_concurrency", "messages of a sender", "80.0", "docs.aws.amazon", "total"):
        assert part in done.output


def test_a_load_that_is_not_carried_says_what_holds_it_back() -> None:
    """More than a vendor allows ends with what is reached first, and the exit code 1."""
    done = runner.invoke(app, ["plan", "--messages-per-day", "5e6", "--messages-per-second", "80"])

    assert 1 == done.exit_code
    assert "messages of a sender are reached at 80.0" in " ".join(done.output.split())


def test_given_calls_are_not_chosen_anew() -> None:
    """Who asks about calls that he has gets an answer about those."""
    asked = ["plan", "--messages-per-day", "1e6", "--batch-size", "3", "--maximum-concurrency", "7"]

    assert "wait" in runner.invoke(app, asked).output
    assert 1 == runner.invoke(app, asked).exit_code


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--batch-size", "3"], "go together"),
        (["--openai-tokens-per-minute", "9"], "needs --tokens-per-message"),
        (["--peak-hour-share", "1.5"], "Invalid value for '--peak-hour-share'"),
        (["--architecture", "mips"], "'mips' is not one of"),
    ],
)
def test_a_question_that_says_nothing_is_refused(arguments: list[str], error: str) -> None:
    """What is not allowed, or lacks its other half, is named."""
    done = runner.invoke(app, ["plan", "--messages-per-day", "1e6", *arguments])

    assert 2 == done.exit_code
    assert error in " ".join(done.output.replace("│", " ").split())
