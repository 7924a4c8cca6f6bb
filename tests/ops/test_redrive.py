"""Redriving: nothing is sent twice, nothing is lost, whatever state the letters are in."""

from collections import Counter

import pytest

from lambda_src.core.contract import Status
from tests.ops.office import Office
from tests.services.channel import Channel, context, recipient_data

REDRIVE = ("dlq", "redrive", "--yes", "--rate", "1000")


def fail_for_a_while(channel: Channel, conversation: str) -> str:
    """A message whose AI was busy until its deliveries were used up."""
    body = context(conversation_id=conversation)
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(body)
    channel.deliver(body, receive_count=10)
    assert Status.RETRY == channel.record(conversation)["conversation_status"]
    return body


def fail_for_good(channel: Channel, conversation: str, code: str = "21606") -> str:
    """A message that Twilio refused."""
    body = context(conversation_id=conversation)
    channel.twilio.fail_next(code)
    channel.deliver(body)
    assert Status.FAILED == channel.record(conversation)["conversation_status"]
    return body


def verdicts(document: dict[str, list[dict[str, object]]]) -> dict[str, int]:
    """How many letters got which verdict."""
    counted: Counter[str] = Counter()
    for row in document["what_was_done"]:
        counted[str(row["verdict"]).split(":")[0]] += int(str(row["letters"]))
    return dict(counted)


def test_a_letter_whose_cause_has_passed_is_sent(office: Office) -> None:
    """It goes back on the queue, is sent once, and its record says who redrove it."""
    office.bury(fail_for_a_while(office.channel, "waited"))

    assert {"redrive": 1} == verdicts(office.done(*REDRIVE, "--reason", "OpenAI is back"))
    assert [] == office.dead_letters()
    office.work_off()

    record = office.channel.record("waited")
    assert Status.SENT == record["conversation_status"]
    assert 1 == len(office.channel.phone())
    (line,) = record["operator_actions"]
    assert ("dead letter redriven", "OpenAI is back") == (line["what"], line["why"])
    assert line["who"].startswith("arn:aws:")


def test_a_letter_that_was_sent_is_only_removed(office: Office) -> None:
    """Nothing goes on the queue for a message that is on the phone."""
    body = context(conversation_id="sent")
    office.channel.deliver(body)
    office.bury(body)

    assert {"remove": 1} == verdicts(office.done(*REDRIVE))
    assert ([], []) == (office.dead_letters(), office.queued())


def test_an_unknown_send_is_never_redriven(office: Office) -> None:
    """What may have been sent stays until a person has decided, whatever is said to be mended."""
    office.lose_a_send()
    office.bury(context(conversation_id="lost"))

    document = office.done(*REDRIVE, "--mended", "not_found_at_vendor")
    assert {"stays": 1} == {
        str(row["verdict"]).split(":")[0]: row["letters"] for row in document["what_is_to_be_done"]
    }
    assert 1 == len(office.dead_letters())


def test_what_failed_stays_unless_its_cause_is_named_as_mended(office: Office) -> None:
    """Of two that failed, the one whose cause is mended is released and sent, once."""
    mended = fail_for_good(office.channel, "sender", "21606")
    wrong = fail_for_good(office.channel, "number", "21211")
    office.bury(mended, wrong)

    done = office.done(*REDRIVE, "--mended", "twilio_21606", "--reason", "the sender is set up")
    assert {"release and redrive": 1, "stays": 1} == verdicts(done)
    office.work_off()
    assert [wrong] == office.dead_letters()
    assert Status.SENT == office.channel.record("sender")["conversation_status"]
    assert Status.FAILED == office.channel.record("number")["conversation_status"]


def test_a_rejection_that_is_none_any_more_gets_a_whole_record(office: Office) -> None:
    """A message refused before its claim is released with all that its context object tells."""
    body = context(conversation_id="refused")
    office.channel.deliver(
        context(lambda d: recipient_data(d).update(comms_consent=False), conversation_id="refused")
    )
    assert "company_id" not in office.channel.record("refused")
    office.bury(body)

    office.done(*REDRIVE, "--mended", "consent_not_given")
    office.work_off()

    record = office.channel.record("refused")
    assert (Status.SENT, "demo-company") == (record["conversation_status"], record["company_id"])
    assert 1 == len(office.channel.phone())
    assert "released" in record["operator_actions"][0]["what"]


def test_a_body_that_is_refused_still_stays(office: Office) -> None:
    """Redriving what the processor refuses would only bring it back."""
    refused = context(lambda d: recipient_data(d).update(comms_consent=False))
    office.channel.deliver(refused)
    office.bury("no context object", refused)

    document = office.done(*REDRIVE, "--mended", "consent_not_given")
    causes = {row["cause"]: row["verdict"] for row in document["what_is_to_be_done"]}
    assert {"body_not_json", "consent_not_given"} == set(causes)
    assert {"stays: its body is refused"} == set(causes.values())


def test_a_letter_that_no_worker_got_hold_of_is_sent(office: Office) -> None:
    """Without a record nothing was tried: it gets one, which says who redrove the letter."""
    office.bury(context(conversation_id="untouched"))
    office.done(*REDRIVE, "--reason", "the function could not start")
    begun = office.channel.record("untouched")
    assert (Status.RETRY, "redriven_by_operator") == (
        begun["conversation_status"],
        begun["failure"]["code"],
    )
    office.work_off()

    record = office.channel.record("untouched")
    assert (Status.SENT, "demo-company") == (record["conversation_status"], record["company_id"])
    assert ["the function could not start"] == [each["why"] for each in record["operator_actions"]]


def test_copies_of_a_letter_are_sent_once(office: Office) -> None:
    """Three letters of one conversation make one message."""
    office.bury(*[context(conversation_id="copied")] * 3)
    office.done(*REDRIVE)
    assert 3 == office.work_off()
    assert 1 == len(office.channel.phone())


def test_a_dry_run_changes_nothing(office: Office) -> None:
    """It says what would be done; letters and records stay as they are."""
    body = fail_for_a_while(office.channel, "waited")
    office.bury(body)
    before = office.channel.record("waited")

    document = office.done("dlq", "redrive", "--dry-run")
    assert ["redrive"] == [row["verdict"] for row in document["what_would_be_done"]]
    assert ([body], [], before) == (
        office.dead_letters(),
        office.queued(),
        office.channel.record("waited"),
    )


@pytest.mark.parametrize(
    ("answer", "said"), [("n\n", "nothing was changed"), ("", "nobody answered: add --yes")]
)
def test_nothing_is_done_without_a_yes(office: Office, answer: str, said: str) -> None:
    """A no, or nobody there to answer, leaves everything as it is."""
    office.bury(context())
    assert said in office.refused("dlq", "redrive", answer=answer)
    assert ([context()], []) == (office.dead_letters(), office.queued())


def test_a_yes_is_enough(office: Office) -> None:
    """Who is asked and agrees need not say so on the command line."""
    office.bury(context())
    assert 0 == office.run("dlq", "redrive", "--rate", "1000", answer="y\n").exit_code
    assert [context()] == office.queued()
