"""`approvals`: what is shown of a held draft, the three decisions, and what is sent after each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from lambda_src.core.contract import REJECTED_BY_OPERATOR, HoldReason, Status
from local.fakes import Fault
from ops.commands.approvals import QUEUED_LATER
from ops.console import MASK
from ops.conversations import ConversationRepository
from tests.ops.operator_channel import OperatorChannel
from tests.support.callbacks import Callbacks
from tests.support.channel import (
    ASSISTANT,
    CONVERSATION,
    FREE_TEXT_SECRET,
    RECIPIENT,
    TWILIO_SECRET,
    Change,
    context,
    failing_call,
    openai_config,
    recipient_data,
)

TEXT = "We have your application."
EDIT = ("edit", "--variable", f"2={TEXT}")
SHOW = "--show-personal-data"
REASON = ("--reason", "read twice")


def review(document: dict[str, Any]) -> None:
    """Ask for an operator's approval of the first message."""
    document["company_data_payload"]["auto_queue_initial_message"] = True


def checks(**rules: object) -> Change:
    """Let the assistant have these checks."""
    return lambda document: openai_config(document).update(assistant={**ASSISTANT, "checks": rules})


def hold(operator: OperatorChannel, *changes: Change) -> str:
    """Let the function hold the draft of a conversation; return the draft's id."""
    assert [] == operator.channel.deliver(context(*(changes or (review,))))
    record = operator.channel.record()
    assert Status.AWAITING_APPROVAL == record["conversation_status"]
    return str(record["draft_id"])


def decide(operator: OperatorChannel, draft: str, decision: str = "approve", *options: str) -> Any:
    """Decide about a draft without a question; return the document."""
    call = ("approvals", decision, CONVERSATION, *options)
    return operator.succeed(*call, "--draft", draft, *REASON, "--yes")


def refuse(operator: OperatorChannel, draft: str, decision: str, *options: str) -> str:
    """Decide about a draft, which must be refused; return the output."""
    call = ("approvals", decision, CONVERSATION, *options)
    return operator.refused(*call, "--draft", draft, *REASON, "--yes")


def template(text: str, name: str = "Amara") -> str:
    return f"Hello {name}! {text} Reply STOP to opt out."


@pytest.mark.parametrize(
    ("decision", "content", "status"),
    [
        (("approve",), None, Status.SENT),
        (EDIT, TEXT, Status.SENT),
        (("reject",), "", Status.FAILED),
    ],
)
def test_a_decision_decides_what_is_sent(
    operator: OperatorChannel, decision: tuple[str, ...], content: str | None, status: Status
) -> None:
    """Once, whatever else is delivered or redriven: the draft, the operator's text, or nothing."""
    draft = hold(operator)
    held = operator.channel.record()
    text = held["draft"]["variables"]["2"] if content is None else content
    assert [] == operator.channel.deliver(context())  # a duplicate
    assert ([], 2) == (operator.channel.phone(), len(operator.handed_off()))
    assert decide(operator, draft, *decision)["changed"]
    operator.process_queue()

    for _ in range(2):
        operator.dead_letter(*operator.channel.deliver(context()))
        operator.run("dlq", "redrive", "--fixed-cause", REJECTED_BY_OPERATOR, "--yes")
        operator.process_queue()
    record = operator.channel.record()
    assert (status, [template(text)] if text else []) == (
        record["conversation_status"],
        operator.channel.phone(),
    )
    assert not {"draft", "draft_id", "hand_off_to_human_reason"} & record.keys()
    assert record["hand_off_to_human"] is False
    (entry,) = record["operator_actions"]
    assert (f"draft {draft} ", "read twice") == (entry["what"][: len(draft) + 7], entry["why"])
    assert 1 == len(operator.channel.openai.state()["conversations"])


@pytest.mark.parametrize(("decision", "edited"), [(("approve",), False), (EDIT, True)])
def test_an_approval_is_recorded(
    operator: OperatorChannel, decision: tuple[str, ...], edited: bool
) -> None:
    """With who and when; an edited text is in no conversation, and the draft's is still known."""
    draft = hold(operator)
    held = operator.channel.record()
    decide(operator, draft, *decision)
    record = operator.channel.record()
    assert (Status.RETRY, "whatsapp#approved") == (
        record["conversation_status"],
        record["open_work"].rpartition("#")[0],
    )
    (message,) = operator.channel.sqs.receive_message(
        QueueUrl=operator.channel.queue_url,
        MessageAttributeNames=["first_asked_at"],
        VisibilityTimeout=0,
    )["Messages"]
    asked = int(message["MessageAttributes"]["first_asked_at"]["StringValue"])
    assert 1795338000000 == asked  # the router's time
    written_by, signature = record["written_by"], record["operator_actions"][0]
    assert held["written_by"].items() <= written_by.items()
    assert (signature["who"], signature["at"], edited) == tuple(
        written_by[name] for name in ("approved_by", "approved_at", "edited")
    )

    operator.process_queue()
    sent = operator.channel.record()
    assert written_by == sent["written_by"]
    assert "open_work" not in sent or "delivery" in sent["open_work"]
    (entry,) = sent["messages"]
    thread, response = held["draft"]["thread_id"], held["draft"]["message_id"]
    if edited:
        assert TEXT == json.loads(entry["content"])["2"]
        assert ("", "", [thread, response]) == (
            entry["response_id"],
            sent.get("thread_id", ""),
            sent["discarded_threads"],
        )
    else:
        assert (response, thread) == (entry["response_id"], sent["thread_id"])


def test_a_draft_is_shown_beside_its_input(operator: OperatorChannel) -> None:
    """With its problems; texts and personal data only if they are asked for."""
    draft = hold(operator, checks(must_say=["Kind regards"]))
    (row,) = operator.succeed("approvals", "list")
    assert (CONVERSATION, "+4…23", "checks_failed", 1, draft) == tuple(
        row[name] for name in ("conversation", "recipient", "reason", "problems", "draft")
    )
    call = ("approvals", "show", CONVERSATION)
    masked, shown = operator.succeed(*call), operator.succeed(*call, SHOW)
    assert {"1": MASK, "2": MASK} == masked["variables"]
    assert not {"Amara", "Leeds", "Kind", "regards"} & set(json.dumps(masked).split('"'))
    assert "Amara" == shown["variables"]["1"]
    assert "Leeds" == shown["input"]["project_data"]["job"]["location"]
    assert ['the draft does not say "Kind regards"'] == shown["problem_texts"]
    assert 2 == shown["written_by"]["requests"]
    output = " ".join(operator.run(*call).stdout.split())
    for command in ("approve", "edit", "reject"):
        assert f"python -m ops approvals {command} {CONVERSATION} --draft {draft}" in output

    (record,) = operator.succeed("conversation", "show", CONVERSATION)
    assert (MASK, "checks_failed", "awaiting_approval", draft) == tuple(
        record[name]
        for name in ("draft", "hand_off_to_human_reason", "conversation_status", "draft_id")
    )
    status = operator.succeed("status")
    assert (1, True) == (status["drafts"], 0 <= status["oldest_draft_seconds"] < 600)
    assert (
        "1 drafts wait for a decision\n    python -m ops approvals list"
        in operator.run("watch", "--times", "1").stdout
    )


def test_a_shown_text_cannot_control_the_terminal(operator: OperatorChannel) -> None:
    """It could hide a draft, or show another one, to the operator who approves it."""
    name = "Amara\x1b[2J\x9b1A\r\u202e"
    hold(
        operator, review, lambda document: recipient_data(document).update(recipient_last_name=name)
    )
    output = operator.run("approvals", "show", CONVERSATION, SHOW).stdout
    assert r"Amara\u001b[2J\u009b1A\u000d\u202e" in output
    assert not {"\x1b", "\x9b", "\r", "\u202e"} & set(output)


def test_only_a_draft_that_was_seen_is_decided(operator: OperatorChannel) -> None:
    """By its id, or shown with its texts before the question; a changed one is refused."""
    draft = hold(operator)
    call = ("approvals", "approve", CONVERSATION)
    for options in (("--yes",), (), ("--yes", SHOW)):
        assert f"--draft {draft}" in operator.refused(*call, *options)
    assert "look again" in refuse(operator, "another", "approve")
    assert not operator.succeed(*call, "--dry-run")["changed"]
    assert ([], Status.AWAITING_APPROVAL) == (operator.queued(), operator.status(CONVERSATION))
    result = operator.run(*call, SHOW, answer="y\n")
    assert (0, True) == (result.exit_code, "Amara" in result.stdout)
    assert Status.RETRY == operator.status(CONVERSATION)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--text", "Hello"), "has the variables 1, 2: give --variable"),
        ((), "has the variables 1, 2: give --variable"),
        (("--variable", "2"), "expected NAME=TEXT"),
        (("--variable", "2=a", "--variable", "2=b"), "each name once"),
        (("--variable", "3=a"), "expected one of 1, 2, found 3"),
        (("--variable", "2= "), "variable 2 is empty"),
        (("--variable", f"2={'a' * 2000}", "--accept-problems"), "2005 characters, 1024"),
        (("--text", "a", "--file", "-"), "not both"),
        (("--variable", "2=Pay £99 today."), "the text has 1 problem(s)"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused(
    operator: OperatorChannel, options: tuple[str, ...], message: str
) -> None:
    """By the channel's rules always, by the checks unless the operator accepts their problems."""
    draft = hold(operator, review, checks())
    before = operator.channel.record()
    output = refuse(operator, draft, "edit", *options)
    assert message in output
    assert "£99" not in output
    assert before == operator.channel.record()


def test_problems_can_be_accepted(operator: OperatorChannel) -> None:
    """What the checks found is recorded."""
    draft = hold(operator, review, checks())
    ai_config = operator.channel.record()["ai_config"]
    ai_config["openai_config"]["whatsapp"]["assistant"]["checks"]["moderation"] = True
    operator.channel.set_fields(ai_config=ai_config)
    options = ("--variable", "2=Pay £99 today.")
    output = refuse(operator, draft, "edit", *options, SHOW)
    assert ("£99" in output, "moderation is not asked" in output) == (True, True)
    decide(operator, draft, "edit", *options, "--accept-problems")
    operator.process_queue()
    assert [template("Pay £99 today.")] == operator.channel.phone()
    results = operator.channel.record()["written_by"]["checks"]
    assert {"name": "facts_only", "passed": False} in results


@pytest.mark.parametrize("source", ["--text", "--file"])
def test_free_text_is_edited(operator: OperatorChannel, tmp_path: Path, source: str) -> None:
    """From the command line or a file; an empty draft can only be edited or rejected."""
    operator.channel.set_secret(TWILIO_SECRET, FREE_TEXT_SECRET)
    free = {name: ASSISTANT[name] for name in ("model", "instructions")}
    operator.channel.openai.fail_next(Fault.wrong_output(" "), times=2)
    draft = hold(operator, lambda document: openai_config(document).update(assistant=free))
    assert "the text is empty" in refuse(operator, draft, "approve")
    assert "one text: give --text" in refuse(operator, draft, *EDIT)
    assert "approvals approve" not in operator.run("approvals", "show", CONVERSATION).stdout
    path = tmp_path / "text.txt"
    path.write_text(f"{TEXT}\n")
    decide(operator, draft, "edit", source, str(path) if source == "--file" else TEXT)
    operator.process_queue()
    (entry,) = operator.channel.record()["messages"]
    assert ([TEXT], TEXT) == (operator.channel.phone(), entry["content"])


def test_repeating_a_decision_is_safe(operator: OperatorChannel) -> None:
    """It is completed, or known as made; another decision and another operator are refused."""
    draft = hold(operator)
    decide(operator, draft, *EDIT)
    assert not decide(operator, draft, *EDIT)["changed"]
    assert 2 == len(operator.queued())
    other = refuse(operator, draft, "edit", "--variable", "2=Another text.")
    assert "edited and approved by arn:" in other
    assert "with another text" in other
    for decision in ("approve", "reject"):
        assert "nothing was changed: draft" in refuse(operator, draft, decision)
    operator.process_queue()
    assert not decide(operator, draft, *EDIT)["changed"]
    assert ([template(TEXT)], []) == (operator.channel.phone(), operator.queued())
    output = operator.refused("approvals", "approve", CONVERSATION)
    assert "no draft waits for a decision: the record is initial_message_sent" in output
    record = operator.channel.record()
    actions = [{**record["operator_actions"][0], "who": "arn:aws:iam::1:user/other"}]
    operator.channel.set_fields(operator_actions=actions)
    assert "by arn:aws:iam::1:user/other" in refuse(operator, draft, *EDIT)


@pytest.mark.parametrize("decision", [("approve",), EDIT, ("reject",)])
def test_a_write_whose_answer_was_lost_is_recognised(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch, decision: tuple[str, ...]
) -> None:
    """By its signature, so that the message is queued."""
    draft = hold(operator)
    make_call = BaseClient._make_api_call  # type: ignore[attr-defined]  # typed without it

    def call_twice(client: BaseClient, name: str, parameters: Any) -> Any:
        if name == "UpdateItem":  # as the SDK does
            make_call(client, name, parameters)
        return make_call(client, name, parameters)

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call_twice)
        assert decide(operator, draft, *decision)["changed"]
    assert (decision[0] != "reject") == bool(operator.queued())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("reject",), ("approve",)),
        (("approve",), ("reject",)),
        (EDIT, ("edit", "--variable", "2=Another text.")),
    ],
)
def test_one_of_two_operators_wins(
    operator: OperatorChannel,
    monkeypatch: pytest.MonkeyPatch,
    first: tuple[str, ...],
    second: tuple[str, ...],
) -> None:
    """The other one, or the same one in another terminal, learns what was decided and sent."""
    draft = hold(operator)
    apply = ConversationRepository.apply

    def race(*arguments: Any) -> None:
        monkeypatch.setattr(ConversationRepository, "apply", apply)
        decide(operator, draft, *first)
        operator.process_queue()
        apply(*arguments)

    monkeypatch.setattr(ConversationRepository, "apply", race)
    assert f"nothing was changed: draft {draft}" in refuse(operator, draft, *second)
    operator.process_queue()
    assert (first[0] != "reject") == (1 == len(operator.channel.phone()))


def _run_again(operator: OperatorChannel, _: Callbacks, draft: str) -> None:
    decide(operator, draft)


def _run_job(operator: OperatorChannel, callbacks: Callbacks, _: str) -> None:
    operator.channel.set_fields(open_since=1)
    callbacks.schedule()


@pytest.mark.parametrize("complete", [_run_again, _run_job])
def test_an_interrupted_approval_is_completed(
    operator: OperatorChannel,
    callbacks: Callbacks,
    complete: Callable[[OperatorChannel, Callbacks, str], None],
) -> None:
    """By the same command or, since it is recorded, by the scheduled job; it is sent once."""
    draft = hold(operator)
    call = ("approvals", "approve", CONVERSATION, "--draft", draft, "--yes")
    with failing_call("SendMessage", KeyboardInterrupt()):
        assert f"interrupted: {QUEUED_LATER}" in operator.interrupted(*call)
    assert [] == operator.queued()
    complete(operator, callbacks, draft)
    operator.process_queue()
    assert (1, Status.SENT) == (len(operator.channel.phone()), operator.status(CONVERSATION))


@pytest.mark.parametrize(("decision", "sent"), [("approve", 1), ("reject", 0)])
def test_a_draft_for_another_template_is_held_again(
    operator: OperatorChannel, decision: str, sent: int
) -> None:
    """Under a new id, which alone can be decided; a rejection ends the earlier approval."""
    draft = hold(operator)
    operator.channel.set_fields(draft_template_id="HX" + "9" * 32)
    decide(operator, draft, *EDIT)
    operator.process_queue()
    record = operator.channel.record()
    assert (Status.AWAITING_APPROVAL, HoldReason.TEMPLATE_CHANGED) == (
        record["conversation_status"],
        record["hand_off_to_human_reason"],
    )
    assert "look again" in refuse(operator, draft, "approve")
    decide(operator, record["draft_id"], decision)
    operator.process_queue()
    assert sent == len(operator.channel.phone())
    written_by = operator.channel.record()["written_by"]
    assert bool(sent) == ("approved_by" in written_by)
    assert (True if sent else None) is written_by.get("edited")


def test_an_opt_out_is_stronger_than_an_approval(operator: OperatorChannel) -> None:
    """Nothing is sent, and nothing remains to be done."""
    draft = hold(operator)
    operator.succeed("suppression", "add", RECIPIENT, *REASON, "--yes")
    decide(operator, draft)
    operator.process_queue()
    assert (("failed", "recipient_suppressed"), []) == (
        operator.channel.status(),
        operator.channel.phone(),
    )
    assert "open_work" not in operator.channel.record()


def test_a_held_draft_is_erased(operator: OperatorChannel) -> None:
    """With its copies and all that OpenAI has of it; then there is nothing to decide."""
    draft = hold(operator, checks(must_say=["Kind regards"]))
    operator.channel.set_fields(discarded_threads=["conv_kept"])
    receipt = operator.run("erase", "--recipient", RECIPIENT, *REASON, "--yes", "--json").stdout
    assert {"conv_kept"} <= {each["id"] for each in json.loads(receipt)["vendors"]}
    assert ([], None) == (operator.handed_off(), operator.channel.record())
    assert not any(operator.channel.openai.state().values())
    assert "no record of the conversation" in refuse(operator, draft, "approve")


def test_an_erasure_during_a_decision_ends_it(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No record is created, and nothing is queued."""
    draft = hold(operator)
    apply = ConversationRepository.apply

    def erase(*arguments: Any) -> None:
        operator.run("erase", "--recipient", RECIPIENT, *REASON, "--yes")
        apply(*arguments)

    monkeypatch.setattr(ConversationRepository, "apply", erase)
    assert "the record is gone" in refuse(operator, draft, "approve")
    assert ([], None) == (operator.queued(), operator.channel.record())


def test_a_message_that_would_be_rejected_is_not_approved(operator: OperatorChannel) -> None:
    """Its record must still be a valid context object; it can be rejected in any case."""
    draft = hold(operator)
    operator.channel.set_fields(project_status="paused")
    assert "project_not_active" in refuse(operator, draft, "approve")
    assert Status.AWAITING_APPROVAL == operator.status(CONVERSATION)
    operator.channel.set_fields(written_by="gone", draft="gone")
    assert "the record lacks parts of its draft" in refuse(operator, draft, "reject")
