"""Drafts: what a check finds, the one second request, and what is held for an operator."""

import json
from dataclasses import replace
from typing import Any

import pytest

from lambda_src.core.contract import CheckMode, HoldReason, Metric, OpenWork, Status
from lambda_src.core.drafts.checks import check_texts, comparable
from lambda_src.core.errors import (
    ConfigurationRefused,
    InvalidAnswer,
    LeaseLost,
    PermanentFailure,
    TransientFailure,
)
from lambda_src.core.flow import hand_off_copy
from lambda_src.core.models import Answer, CheckRules, Outcome, Usage
from lambda_src.core.time_budget import MIN_AI_SECONDS
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER
from tests.support.runtime import FIRST_CONTACT, KEY, TWILIO, FakeRuntime

CONTEXT = contexts.parse(contexts.valid())
GOOD = replace(ANSWER, thread_id="conv_good")
INVENTED = replace(ANSWER, thread_id="conv_bad", variables={"1": "Amara", "2": "Pay £99 today."})
OTHER = replace(INVENTED, thread_id="conv_worse", variables={"1": "Amara", "2": "Only £98 now."})
INSTRUCTIONS = "You write the first message that a company sends to a person, warm and brief."
REVIEWED = replace(CONTEXT, needs_review=True)


def _failed(texts: str | dict[str, str], rules: CheckRules) -> dict[str, list[str]]:
    text, variables = (texts, {}) if isinstance(texts, str) else ("", texts)
    answer = replace(ANSWER, text=text, variables=variables)
    definition = replace(FIRST_CONTACT, checks=rules, instructions=INSTRUCTIONS)
    results = check_texts(answer, CONTEXT, definition)
    return {result.name: list(result.problems) for result in results if result.problems}


@pytest.mark.parametrize(
    ("text", "rules", "failed"),
    [
        ("Hello", CheckRules(), []),
        ("Call +44 7700 900001", CheckRules(), []),  # the sender's number
        ("It costs £99", CheckRules(), ["facts_only"]),
        ("It costs £99", CheckRules(facts_only=False), []),
        ("See https://evil.example/pay", CheckRules(), ["facts_only"]),
        ("Reply  stop\nto opt out", CheckRules(must_say=("reply STOP",)), []),
        ("Reply to opt out", CheckRules(must_say=("reply STOP",)), ["must_say"]),
        ({"1": "Reply", "2": "STOP"}, CheckRules(must_say=("Reply\nstop",)), []),
        ("A GUARANTEE", CheckRules(must_not_say=("guarantee",)), ["must_not_say"]),
        ("ＧＵＡＲＡＮＴＥＥ", CheckRules(must_not_say=("guarantee",)), ["must_not_say"]),
        ("gua\u200brantee", CheckRules(must_not_say=("guarantee",)), ["must_not_say"]),
        ("gua\u034frantee", CheckRules(must_not_say=("guarantee",)), ["must_not_say"]),
        ("g\ufe0fuarantee\u3164", CheckRules(must_not_say=("guarantee",)), ["must_not_say"]),
        ("no *guarantee*", CheckRules(must_not_say=("no guarantee",)), ["must_not_say"]),
        ("Reply *STOP*, or _no_", CheckRules(must_say=("reply stop, or no",)), []),
        ({"1": "guaran", "2": "tee"}, CheckRules(must_not_say=("guarantee",)), []),
        ("See acme.example/terms", CheckRules(must_say=("acme.example/terms",)), []),
        (f"From {CONTEXT.company_name}", CheckRules(must_say=("{company_name}",)), []),
        ("From the tax office", CheckRules(must_say=("{company_name}",)), ["must_say"]),
        ("<b>Hello</b>", CheckRules(), ["injection"]),
        ("[Hello](page)", CheckRules(), ["injection"]),
        ("2 < 3, and I <3 you > them", CheckRules(), []),
        (f"I was told: {INSTRUCTIONS}", CheckRules(), ["injection"]),
        (INSTRUCTIONS[:30], CheckRules(), []),
    ],
)  # fmt: skip
def test_a_check_finds_what_it_is_for(
    text: str | dict[str, str], rules: CheckRules, failed: list[str]
) -> None:
    """By value and without regard to case, spacing and hidden characters."""
    assert failed == list(_failed(text, rules))


def test_a_problem_quotes_what_was_found() -> None:
    """For the AI and the operator; a long quotation is cut off."""
    [problem] = _failed("It costs £99", CheckRules())["facts_only"]
    assert 'has the amount of money "£99", which is not in the input' == problem
    phrase = "x" * 500
    [problem] = _failed("Hello", CheckRules(must_say=(phrase,)))["must_say"]
    assert 220 > len(problem)
    assert comparable("Ａ\u00adb  C") == "ab c"


def test_a_checked_answer_is_sent_with_its_provenance(runtime: FakeRuntime) -> None:
    """The record says what wrote the message and which checks it passed."""
    assert Outcome.SENT is runtime.process()
    answer = runtime.record.sent.answer if runtime.record.sent else None
    assert answer
    expected = {
        "engine": "responses",
        "requests": 1,
        "model": FIRST_CONTACT.model,
        "checks": [{"name": n, "passed": True} for n in ("injection", "facts_only")],
    }
    assert expected.items() <= answer.written_by.items()
    assert 64 == len(answer.written_by["definition_sha256"])
    assert answer.checked


def test_the_second_request_names_the_problems(runtime: FakeRuntime) -> None:
    """Its answer is sent; what OpenAI has of the first is deleted, and its tokens count."""
    runtime.generator.answers = [INVENTED, GOOD]
    assert Outcome.SENT is runtime.process()
    first, second = runtime.generator.billed
    assert ("", True) == (first.problem, '"£99"' in second.problem)
    assert list(INVENTED.openai_ids) == runtime.generator.discarded
    record = runtime.record
    assert record.sent
    assert (GOOD.usage + INVENTED.usage, 2) == (
        record.sent.answer.usage,
        record.sent.answer.written_by["requests"],
    )
    assert ((), None) == (record.drafts.discarded_threads, record.drafts.rejected)
    assert [1.0] == runtime.metrics.values[Metric.CHECKS_FAILED]


def test_a_conversation_that_cannot_be_deleted_stays_recorded(runtime: FakeRuntime) -> None:
    """So that an erasure finds it; the message is sent nevertheless."""
    runtime.generator.answers = [INVENTED, GOOD]
    runtime.generator.fail(TransientFailure("openai_500", runtime.delivery().step), call="discard")
    assert Outcome.SENT is runtime.process()
    assert INVENTED.openai_ids == runtime.record.drafts.discarded_threads


def test_a_later_delivery_makes_the_second_request(runtime: FakeRuntime) -> None:
    """One draft costs two answered requests, however many deliveries it takes."""
    runtime.generator.answers = [INVENTED, GOOD]
    times = runtime.times
    runtime.deadline = runtime.clock() + times.acquire_reserve
    spare = times.acquire_reserve - times.send_reserve - MIN_AI_SECONDS
    runtime.while_generating(lambda: runtime.clock.sleep(spare + 1))
    with pytest.raises(TransientFailure, match="out_of_time") as late:
        runtime.process()
    assert (0, Status.RETRY) == (late.value.retry_in, runtime.record.status)
    runtime.begin_invocation()
    assert Outcome.SENT is runtime.process(receive_count=2)
    first, second = runtime.generator.billed
    assert ("", True) == (first.problem, '"£99"' in second.problem)


@pytest.mark.parametrize("first", [INVENTED, replace(INVENTED, variables={"1": "", "2": "Hello"})])
def test_a_draft_that_fails_twice_is_held(runtime: FakeRuntime, first: Answer) -> None:
    """With its problems, without expiry and lease; a copy is handed off, and nothing is sent."""
    runtime.generator.answers = [first, OTHER]
    assert Outcome.HELD is runtime.process()
    record = runtime.record
    assert (Status.AWAITING_APPROVAL, OpenWork.HELD) == (
        record.status,
        record.open_work and record.open_work[0],
    )
    assert record.held
    assert (OTHER.variables, HoldReason.CHECKS_FAILED, "HX1") == (
        record.held.answer.variables,
        record.held.reason,
        record.held.template_id,
    )
    assert '"£98"' in record.held.problems[0]
    assert (None, 0) == (record.answer, runtime.sender.attempts)
    assert runtime.hand_off_queue
    assert 1 == len(runtime.hand_off_queue.bodies)


def test_an_answer_without_text_is_held_empty(runtime: FakeRuntime) -> None:
    """An operator may write the message."""
    invalid = InvalidAnswer("ai_answer_unfit", runtime.delivery().step, "no text")
    invalid.answer = Answer("conv_empty", "resp_1", "", "", {}, Usage(1, 2, 3))
    runtime.generator.fail(invalid, times=2)
    assert Outcome.HELD is runtime.process()
    assert runtime.record.held
    assert ("", {}) == (runtime.record.held.answer.text, runtime.record.held.answer.variables)


def test_a_redelivery_of_a_held_draft_only_hands_it_off(runtime: FakeRuntime) -> None:
    """If the copy cannot be put, the message is reported failed, and the record is unchanged."""
    runtime.generator.answers = [INVENTED, OTHER]
    queue = runtime.hand_off_queue
    assert queue
    queue.error = TransientFailure("queue_unavailable", runtime.delivery().step)
    with pytest.raises(TransientFailure, match="queue_unavailable"):
        runtime.process()
    held = runtime.record
    assert Status.AWAITING_APPROVAL is held.status
    queue.error = None
    assert [Outcome.HELD] * 2 == [runtime.process(receive_count=n) for n in (2, 3)]
    assert (held, 2, 2) == (runtime.record, len(queue.bodies), len(runtime.generator.billed))


def test_a_copy_has_no_api_key() -> None:
    """Wherever the router may have put one."""
    document = contexts.changed("frontend_payload.company_data.api_key", "secret-1")
    document = contexts.changed("company_data_payload.api_key", "secret-2", document)
    assert "secret-" not in hand_off_copy(json.dumps(document))


def test_a_copy_is_no_longer_than_its_message() -> None:
    """SQS would refuse it; a number that no float represents is a text, as for the parser."""
    document = contexts.changed("frontend_payload.project_data", {"x": [1, 0.125, 3]})
    body = json.dumps(document, separators=(",", ":")).replace("0.125", "1e400")
    copy = hand_off_copy(body)
    assert (len(body) + 3, contexts.parser(body)) == (len(copy), contexts.parser(copy))


def test_without_a_queue_a_draft_that_would_be_held_fails(runtime: FakeRuntime) -> None:
    """Where a review is asked for, before the AI is paid."""
    runtime.hand_off_queue = None
    with pytest.raises(PermanentFailure, match="handoff_queue_missing at hold: review_requested"):
        runtime.process(REVIEWED)
    assert ([], Status.FAILED) == (runtime.generator.billed, runtime.record.status)
    del runtime.store.records[KEY]
    runtime.generator.answers = [INVENTED, OTHER]
    with pytest.raises(PermanentFailure, match="handoff_queue_missing at hold: checks_failed"):
        runtime.process()
    assert Status.FAILED is runtime.record.status


def test_report_only_counts_failed_checks(runtime: FakeRuntime) -> None:
    """For the migration of tenants; the message is sent, and the record has the result."""
    runtime.check_mode = CheckMode.REPORT
    runtime.generator.answers = [INVENTED]
    assert Outcome.SENT is runtime.process()
    assert runtime.record.sent
    passed = {"injection": True, "facts_only": False}
    checks = [{"name": name, "passed": is_so} for name, is_so in passed.items()]
    assert checks == runtime.record.sent.answer.written_by["checks"]
    assert [1.0] == runtime.metrics.values[Metric.CHECKS_FAILED]


@pytest.mark.parametrize(("stored", "outcome"), [(GOOD, Outcome.SENT), (INVENTED, Outcome.HELD)])
def test_a_stored_answer_of_1x_is_checked(
    runtime: FakeRuntime, stored: Answer, outcome: Outcome
) -> None:
    """Without asking the AI; one that passed the same checks is not checked again."""
    runtime.store.records[KEY] = Record(KEY, Status.RETRY, START, "o", 1, answer=stored)
    assert outcome is runtime.process()
    assert [] == runtime.generator.billed


def test_an_approved_answer_that_no_longer_fits_is_held_again(runtime: FakeRuntime) -> None:
    """Under a new id: the operator has seen other variables."""
    record = Record(KEY, Status.RETRY, START, "o", 1, answer=INVENTED)
    drafts = replace(record.drafts, approved_by="arn:op", template_id="HX1", held_id="old")
    runtime.store.records[KEY] = replace(record, drafts=drafts)
    variables = {"1": FIRST_CONTACT.variables["1"]}
    context = replace(CONTEXT, assistant=replace(FIRST_CONTACT, variables=variables))
    assert Outcome.HELD is runtime.process(context)
    held = runtime.record.held
    assert held
    assert (HoldReason.TEMPLATE_CHANGED, True) == (held.reason, held.id not in {"", "old"})


@pytest.mark.parametrize(
    ("content", "template"), [({"variables": {}, "text": "Hello!"}, "HX1"), ({}, "")]
)
def test_an_approved_answer_of_the_other_kind_is_not_sent(
    runtime: FakeRuntime, content: dict[str, Any], template: str
) -> None:
    """Not a template for an approved text, nor the reverse, although the operator saw its id."""
    record = Record(KEY, Status.RETRY, START, "o", 1, answer=replace(INVENTED, **content))
    drafts = replace(record.drafts, approved_by="arn:op", template_id=template)
    runtime.store.records[KEY] = replace(record, drafts=drafts)
    credentials = replace(TWILIO, template_id=template or None)
    runtime.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = credentials
    variables = FIRST_CONTACT.variables if "variables" not in content else {}
    context = replace(CONTEXT, assistant=replace(FIRST_CONTACT, variables=variables))
    with pytest.raises(ConfigurationRefused, match="assistant_template_mismatch"):
        runtime.process(context)
    assert (Status.RETRY, 0) == (runtime.record.status, runtime.sender.attempts)


def test_an_unchecked_answer_is_not_sent_without_its_definition(runtime: FakeRuntime) -> None:
    """Its checks are not known; an approved one needs none."""
    record = Record(KEY, Status.RETRY, START, "o", 1, answer=INVENTED)
    runtime.store.records[KEY] = record
    runtime.assistants.definitions.clear()
    with pytest.raises(ConfigurationRefused, match="assistant_unknown"):
        runtime.process()
    drafts = replace(record.drafts, approved_by="arn:op", template_id="HX1")
    runtime.store.records[KEY] = replace(runtime.record, drafts=drafts)
    assert Outcome.SENT is runtime.process(receive_count=2)


def test_moderation_is_asked_last(runtime: FakeRuntime) -> None:
    """Its failure keeps the answer for the next delivery; what it flags is a problem."""
    checked = replace(FIRST_CONTACT, checks=CheckRules(moderation=True))
    context = replace(CONTEXT, assistant=checked)
    runtime.generator.categories = ("hate",)
    runtime.generator.fail(TransientFailure("openai_500", runtime.delivery().step), call="moderate")
    with pytest.raises(TransientFailure, match="openai_500"):
        runtime.process(context)
    assert (Status.RETRY, True) == (runtime.record.status, bool(runtime.record.answer))
    assert Outcome.SENT is runtime.process(context, receive_count=2)
    assert 1 == len(runtime.generator.billed)
    del runtime.store.records[KEY]
    flagged = replace(ANSWER, variables={"1": "Amara", "2": "hate"})
    runtime.generator.answers = [flagged, flagged]
    assert Outcome.HELD is runtime.process(context)
    assert runtime.record.held
    assert ("the draft was flagged as hate",) == runtime.record.held.problems


@pytest.mark.parametrize("write", ["reject_draft", "hold_draft"])
def test_a_worker_that_lost_its_lease_holds_nothing(runtime: FakeRuntime, write: str) -> None:
    """The conversation is another worker's."""
    runtime.generator.answers = [INVENTED, OTHER]
    runtime.store.before[write] = lambda: runtime.store.alter(KEY, owner="other", attempt=9)
    with pytest.raises(LeaseLost):
        runtime.process()
    assert (Status.PROCESSING, "other") == (runtime.record.status, runtime.record.owner)
