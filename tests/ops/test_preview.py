"""`preview`: what the AI would write, by the function's own code, without any effect."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.fakes import Fault, Match
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import ASSISTANT, EXAMPLE, Change, context, openai_config

INVENTED = '{"1": "Amara", "2": "Call us at +447700900999 before Friday, 3 March 2031."}'


def asked(operator: OperatorChannel) -> list[dict[str, Any]]:
    """Return what OpenAI was asked to write since the last call."""
    requests = [r for r in operator.channel.openai.requests if r.path == "/v1/responses"]
    operator.channel.openai.application.log.clear()
    return [{**r.body, "conversation": ""} for r in requests]


def content(operator: OperatorChannel) -> tuple[Any, ...]:
    """Return what a preview must leave as it is: table, queues, phones, and OpenAI's store."""
    channel = operator.channel
    items = channel.dynamodb.scan(TableName=channel.table)["Items"]
    return items, operator.queued(), operator.handed_off(), channel.phone(), channel.openai.state()


def test_a_preview_is_what_the_function_writes(operator: OperatorChannel) -> None:
    """It makes the same request, shows the same variables, and leaves nothing anywhere."""
    body, before = context(), content(operator)
    draft = operator.succeed("preview", "-", answer=body)
    assert before == content(operator)
    (previewed,) = asked(operator)
    operator.channel.deliver(body)
    assert [previewed] == asked(operator)
    (sent,) = operator.channel.phone()
    assert ["1", "2"] == list(draft["variables"])
    assert all(text in sent for text in draft["variables"].values())
    assert ("sent", 1) == (draft["outcome"], draft["answers"])
    assert {"injection", "facts_only"} == {each["name"] for each in draft["checks"]}
    tokens = draft["usage"]
    cost = tokens["prompt_tokens"] * 1e-7 + tokens["completion_tokens"] * 5e-7
    assert pytest.approx(cost) == draft["dollars"]


def no_definition(document: dict[str, Any]) -> None:
    openai_config(document)["assistant_id_template_sender"] = "nobody"


def must_say(document: dict[str, Any]) -> None:
    openai_config(document)["assistant"] = ASSISTANT | {"checks": {"must_say": ["STOP"]}}


def needs_review(document: dict[str, Any]) -> None:
    document["company_data_payload"]["auto_queue_initial_message"] = True


@pytest.mark.parametrize(
    ("change", "fault", "outcome", "answers", "shown"),
    [
        (None, Fault.wrong_output(INVENTED), "held", 2, 'has the phone number "+447700900999"'),
        (None, Fault.wrong_output("no JSON"), "held", 2, "expected a JSON object"),
        (must_say, None, "held", 2, 'does not say "STOP"'),
        (needs_review, None, "held", 1, "review_requested"),
        (no_definition, None, "failed", 0, "assistant_unknown"),
        (None, Fault.refusal(), "failed", 0, "ai_answer_refused"),
        (None, "invalid_api_key", "failed", 0, "openai_invalid_api_key"),
    ],
    ids=["invented", "no JSON", "must say", "review", "unknown", "refusal", "key"],
)
def test_a_draft_that_would_not_be_sent_ends_with_1(
    operator: OperatorChannel,
    *,
    change: Change | None,
    fault: Fault | str | None,
    outcome: str,
    answers: int,
    shown: str,
) -> None:
    """The reason is shown, both answers are counted, and all conversations are deleted."""
    body = context(change) if change else context()
    if fault:
        operator.channel.openai.fail_next(fault, times=4)
    result = operator.run("preview", "-", "--json", answer=body)
    document = json.loads(result.stdout)
    assert (1, outcome, answers) == (result.exit_code, document["outcome"], document["answers"])
    assert (
        shown
        in json.dumps(document["problems"], ensure_ascii=False).replace('\\"', '"')
        + (document["reason"])
    )
    state = operator.channel.openai.state()
    assert [[], []] == [state["conversations"], state["responses"]]


def test_a_second_answer_that_passes_is_shown_with_the_first_ones_problem(
    operator: OperatorChannel,
) -> None:
    """As the function would send it."""
    operator.channel.openai.fail_next(Fault.wrong_output(INVENTED))
    output = " ".join(operator.run("preview", str(EXAMPLE)).output.split())
    assert "the first answer was asked for again: the draft has the phone number" in output
    assert "it would be sent" in output


def test_what_openai_keeps_is_named(operator: OperatorChannel) -> None:
    """If the deletion fails, the operator learns the ids."""
    operator.channel.openai.fail_next("server_error", times=9, match=Match(method="DELETE"))
    output = operator.run("preview", str(EXAMPLE)).output
    assert "OpenAI still stores conv_" in output


def test_with_a_key_no_aws_is_needed(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor any tenant's secret; an invalid context object has all of its problems shown."""
    monkeypatch.setenv("OPENAI_API_KEY", "a-made-up-api-key")
    call = ("preview", "--env", "nowhere")
    assert "sent" == operator.succeed(*call, str(EXAMPLE))["outcome"]
    (tmp_path / "one.json").write_text("{}")
    output = operator.refused(*call, str(tmp_path / "one.json"))
    assert "conversation_data" in output
    assert "nothing was drafted" in output
