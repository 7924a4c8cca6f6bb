"""`assistants test`: the golden sets, and what a case may say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local.fakes import Fault
from local.fakes.openai import FakeOpenAI
from stacks.channels import CHANNELS
from stacks.config import Channel
from tests.ops.tool import Tool
from tests.support.channel import API_KEY, EXAMPLE, MODEL
from tests.support.fixtures import openai, openai_server  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[2]
PUSH = ROOT / "examples" / "push-notifications"


@pytest.fixture
def tool(
    openai: FakeOpenAI,  # noqa: F811 - a fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Tool:
    """Return the tool of somebody with a key, in the repository."""
    monkeypatch.setenv("OPENAI_API_KEY", API_KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
    monkeypatch.chdir(ROOT)
    return Tool()


def write(folder: Path, **keys: Any) -> tuple[str, ...]:
    """Write a case about the example context; return the arguments that run it."""
    case = {"context": str(EXAMPLE), **keys}
    (folder / "one.json").write_text(json.dumps({k: v for k, v in case.items() if v is not None}))
    return "assistants", "test", "--directory", str(folder)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_the_shipped_golden_sets(
    tool: Tool,
    openai: FakeOpenAI,  # noqa: F811 - a fixture
    channel: Channel,
) -> None:
    """Each case is as expected, and nothing stays stored at OpenAI."""
    document = tool.succeed("assistants", "test", "--channel", channel.name)
    assert len(list(Path("golden", channel.name).iterdir())) == len(document["cases"])
    assert document["dollars"] > 0
    assert [] == openai.state()["conversations"]


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ({"held": True}, "expected to be held, would be sent"),
        ({"must_contain": ["Zanzibar"]}, 'does not contain "Zanzibar"'),
        ({"must_not_contain": ["harbour  LOGISTICS"]}, 'contains "harbour  LOGISTICS"'),
        ({"min_length": 1000}, "characters, expected at least 1000"),
        ({"max_length": 10}, "characters, expected at most 10"),
        ({"checks_pass": False}, "expected checks to fail, failed: []"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_expectation_that_is_not_met_fails_the_case(
    tool: Tool, tmp_path: Path, expect: Mapping[str, Any], reason: str
) -> None:
    """Exit code 1, with the reason; the same case without it passes."""
    result = tool.run(*write(tmp_path, expect=expect), "--json")
    (case,) = json.loads(result.stdout)["cases"]
    assert (1, 1) == (result.exit_code, len(case["reasons"]))
    assert reason in case["reasons"][0]
    assert "1 of 1 cases failed" in tool.refused(*write(tmp_path, expect=expect))
    tool.succeed(*write(tmp_path))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.wrong_output('{"1": "A", "2": "Only £99!"}'), "would be held: checks_failed"),
        ("invalid_api_key", "failed: openai_invalid_api_key"),
    ],
    ids=["invented", "refused"],
)
def test_a_draft_that_is_not_sent_fails_the_case(
    tool: Tool,
    openai: FakeOpenAI,  # noqa: F811 - a fixture
    tmp_path: Path,
    fault: Fault | str,
    reason: str,
) -> None:
    """Unless it is expected to be held; a failure never is."""
    call = write(tmp_path, expect={"held": True})
    openai.fail_next(fault, times=2)
    assert (reason.startswith("failed")) == bool(tool.run(*call).exit_code)
    openai.clear_faults()
    openai.fail_next(fault, times=2)
    assert reason in tool.refused(*write(tmp_path))


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ({"context": None}, "context: expected a value, found nothing"),
        ({"context": 5}, "context: expected the path of a context object, or the object itself"),
        ({"context": "gone.json"}, "context: gone.json: expected a readable file, found No such"),
        ({"expect": {"min_lenght": 5}}, "found a number (did you mean min_length?)"),
        ({"expect": {"must_contain": [" "]}}, "expect.must_contain.0: expected a non-empty str"),
        ({"expect": {"min_length": 5, "max_length": 4}}, "max_length to be at least min_length"),
        (
            {"overrides": {"frontend_payload": {"recipient_data": {"comms_consent": False}}}},
            "frontend_payload.recipient_data.comms_consent: expected true, found false",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_invalid_case_is_reported_before_any_request(
    tool: Tool,
    openai: FakeOpenAI,  # noqa: F811 - a fixture
    tmp_path: Path,
    case: Mapping[str, Any],
    problem: str,
) -> None:
    """The message names the file, the field, what was expected and the kind that was found."""
    output = tool.refused(*write(tmp_path, **case))
    assert "one.json: " in output
    assert problem in output
    assert [] == openai.requests


def test_a_folder_without_cases_and_a_file_of_another_form_are_errors(
    tool: Tool, tmp_path: Path
) -> None:
    """All files with problems are listed."""
    call = ("assistants", "test", "--directory", str(tmp_path))
    assert "expected cases (*.toml, *.json), found none" in tool.refused(*call)
    (tmp_path / "a.toml").write_text("context = ")
    (tmp_path / "b.json").write_bytes(b"\xff")
    output = tool.refused(*call)
    assert "a.toml: expected TOML, found other text" in output
    assert "b.json: expected a text in UTF-8" in output


def test_an_unpriced_model_has_no_total(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than a total that leaves some answers out."""
    monkeypatch.setattr("ops.prices.MODELS", {f"{MODEL}-other": {}})
    assert tool.succeed(*write(tmp_path))["dollars"] is None
    assert "not known" in tool.run(*write(tmp_path)).output
