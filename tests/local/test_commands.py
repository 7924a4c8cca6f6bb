"""The commands, where they end before a local cloud is needed."""

import pytest
from typer.testing import CliRunner

from local.cli import app
from local.contexts import EXAMPLE
from local.credentials import REQUIRED
from local.errors import LocalCloudError
from local.running import Running
from local.send import send
from tests.local.shown import Shown

ELSEWHERE = "http://127.0.0.1:1"


def _with(vendors: str | None) -> Running:
    return Running(1, ELSEWHERE, "0" * 12, "us-east-1", vendors)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["send"], "name a context object"), (["send", "nowhere.json"], "cannot read")],
)
def test_a_wrong_call_is_one_message(arguments: list[str], text: str) -> None:
    """A missing or wrong path is exit code 1 and one message, not a traceback."""
    result = CliRunner().invoke(app, arguments, env=dict.fromkeys(REQUIRED, ""))
    assert 1 == result.exit_code
    assert text in result.stderr
    assert "" == result.stdout
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("phones", "environment", "used"),
    [
        (ELSEWHERE, dict.fromkeys(REQUIRED, "made-up"), "uses the stand-ins"),
        (None, {}, "uses the real services"),
    ],
)
def test_send_refuses_other_vendors_than_the_running_ones(
    monkeypatch: pytest.MonkeyPatch, phones: str | None, environment: dict[str, str], used: str
) -> None:
    """A context object never goes to other vendors than the environment asks for."""
    monkeypatch.setattr("local.send.find_running", lambda: _with(phones))
    with pytest.raises(LocalCloudError, match=used) as refusal:
        send(EXAMPLE, Shown(), environment)
    assert "made-up" not in str(refusal.value)


def test_up_refuses_to_run_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second `up` is refused, naming the process that runs."""
    monkeypatch.setattr("local.up.find_running", lambda: _with(ELSEWHERE))
    result = CliRunner().invoke(app, ["up"], env=dict.fromkeys(REQUIRED, ""))
    assert 1 == result.exit_code
    assert "a local cloud runs already, in process 1" in result.output
