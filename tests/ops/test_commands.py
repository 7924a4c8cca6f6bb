"""`unknown`, `send`, `secrets`, `assistants`, `suppression` and `erase`."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Thread
from time import sleep
from unittest.mock import Mock

import pytest
from botocore.stub import Stubber

from lambda_src.channels import whatsapp
from lambda_src.core import OperatorParts
from lambda_src.core.contract import Status
from lambda_src.services.dynamodb import Update
from ops import conversations
from ops.commands import secrets
from ops.commands.assistants import DefinitionCheck, check_file, check_model
from ops.console import read_text
from ops.conversations import ConversationRepository
from ops.credential_checks import SecretStore
from ops.endpoints import Endpoints
from ops.errors import OperatorError
from tests.ops.operator_channel import OperatorChannel, to
from tests.support.callbacks import Callbacks
from tests.support.channel import (
    ACCOUNT,
    OPENAI_SECRET,
    RECIPIENT,
    TOKEN,
    TWILIO_SECRET,
    context,
)

RESOLVE = ("unknown", "resolve", "lost", "--yes", "--reason", "looked at the console")
CREDENTIALS = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
GOOD = 'model = "gpt-6-luna"\ninstructions = "Write."\n'
VARIABLE = '[variables.1]\ndescription = "{}"\nmax_length = {}'
SMS = "ai-multi-comms-sms-dev"
REASON = ("--reason", "request 17", "--yes")
ERASE = ("erase", "--recipient", RECIPIENT, *REASON)


@pytest.fixture
def lost(operator: OperatorChannel) -> OperatorChannel:
    """Return a channel where the send of the conversation `lost` ended unknown hours ago."""
    operator.dead_letter(operator.lose_send())
    operator.age_send("lost")
    return operator


def test_only_a_sid_of_this_conversation_is_recorded(lost: OperatorChannel) -> None:
    """Malformed, unknown and other conversations' sids are refused, and so are two decisions."""
    lost.channel.deliver(context(conversation_id="other"))
    other = lost.channel.record("other")["message_sid"]
    lost.channel.deliver(context(to("+447700900999")))
    stranger = lost.channel.twilio.messages()[-1]["sid"]
    for sid, message in (
        ("SM1", "expected SM or MM and 32 hexadecimal digits"),
        ("SM" + "0" * 32, "account at Twilio has no message with that id"),
        (other, "belongs to another conversation"),
        (stranger, "another recipient"),
    ):
        assert message in lost.refused(*RESOLVE, "--sent", sid)
    assert "not both" in lost.refused(*RESOLVE, "--sent", other, "--not-sent")


def test_changed_record_is_kept(lost: OperatorChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the record changes after it was shown, the decision is refused."""
    apply = ConversationRepository.apply

    def race(self: ConversationRepository, update: Update, entry: dict[str, str]) -> None:
        lost.channel.set_fields("lost", conversation_status="initial_message_sent")
        apply(self, update, entry)

    monkeypatch.setattr(ConversationRepository, "apply", race)
    assert "look again" in lost.refused(*RESOLVE, "--not-sent")
    assert "operator_actions" not in lost.channel.record("lost")


def test_a_release_needs_less_time_in_the_local_cloud(
    lost: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake's list lags for as long as the local cloud says, which is checked like an hour."""
    lost.age_send("lost", -1.5)
    faked = Endpoints.from_environment()
    for lag in (None, 7_200, 60):
        endpoints = replace(faked, list_lag_seconds=lag)
        monkeypatch.setattr(Endpoints, "from_environment", lambda found=endpoints: found)
        if lag == 60:
            assert lost.succeed(*RESOLVE, "--not-sent")
        else:
            assert "too early to decide" in lost.refused(*RESOLVE, "--not-sent")


def test_a_release_needs_time_and_the_answer(lost: OperatorChannel) -> None:
    """Within an hour a missing list entry proves nothing, and later the answer must be stored."""
    lost.age_send("lost", -1.5)
    assert "too early to decide" in lost.refused(*RESOLVE, "--not-sent")
    lost.age_send("lost")
    lost.channel.set_fields("lost", ai_answer="gone")
    assert "lacks the message's text" in lost.refused(*RESOLVE, "--not-sent")


def test_an_erased_recipient_is_erased_again(lost: OperatorChannel) -> None:
    """What the erasure left until the decision; a redrive would send nothing."""
    lost.refused(*ERASE)
    output = " ".join(lost.run(*RESOLVE, "--not-sent", "--show-personal-data").output.split())
    assert f"erase them again python -m ops erase --recipient {RECIPIENT} --reason" in output
    assert "dlq redrive" not in output


def test_a_send_in_progress_is_listed_on_its_channel(lost: OperatorChannel) -> None:
    """Only there, and without what the vendor lists: nothing is to be decided yet."""
    for name, channel in (("own", "whatsapp"), ("other", "sms")):
        lost.conversation("unknown", name=name)
        lost.channel.set_fields(name, channel_method=channel, conversation_status="sending")
    rows = {row["conversation"]: row for row in lost.succeed("unknown", "list", "--offline")}
    assert {"lost", "own"} == rows.keys()
    assert "sending" == rows["own"]["status"]


def test_the_missing_secret_is_named(lost: OperatorChannel) -> None:
    """Where a command needs it, and where the record has it as the cause of the failure."""
    lost.channel.secretsmanager.delete_secret(
        SecretId=TWILIO_SECRET, ForceDeleteWithoutRecovery=True
    )
    assert f"secret_missing at secrets: {TWILIO_SECRET}" in lost.refused(*RESOLVE[:3])
    assert (
        f"secret_missing at secrets: {TWILIO_SECRET}"
        == (lost.succeed("unknown", "list")[0]["vendor_lists"])
    )
    lost.channel.set_fields("lost", failure={"code": "secret_missing", "step": "secrets"})
    step = f"python -m ops secrets check {OPENAI_SECRET} {TWILIO_SECRET}"
    assert step in lost.run("conversation", "show", "lost").stdout


@pytest.fixture
def unlisted(operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch) -> OperatorChannel:
    """Return a channel of a vendor that can only send."""
    listed = replace(whatsapp.PARTS, operator=OperatorParts(vendor="Post"))
    parts = replace(listed, has_message_list=False, make_status_lookup=None)
    monkeypatch.setattr(whatsapp, "PARTS", parts)
    return operator


@pytest.mark.parametrize(
    ("decision", "status", "sent"),
    [(("--sent", "post-7"), Status.SENT, 0), (("--not-sent",), Status.RETRY, 1)],
)
def test_without_a_list_the_operator_decides(
    unlisted: OperatorChannel, decision: tuple[str, ...], status: Status, sent: int
) -> None:
    """The second delivery marks the send, the vendor is never asked, and no hour has to pass."""
    unlisted.dead_letter(unlisted.lose_send(receive_count=2))
    assert ("send_unknown", "no_message_list") == unlisted.channel.status("lost")
    assert "Post has no list of messages: you decide" in unlisted.run(*RESOLVE[:3]).stdout
    assert "expected 1 to 255 ASCII" in unlisted.refused(*RESOLVE, "--sent", "a b")
    assert unlisted.succeed(*RESOLVE, *decision)["changed"]
    assert status == unlisted.status("lost")
    assert 1 == len(unlisted.channel.twilio.requests)

    unlisted.succeed("dlq", "redrive", "--conversation", "lost", "--yes")
    unlisted.process_queue()
    assert Status.SENT == unlisted.status("lost")
    assert ([], sent) == (unlisted.dead_letters(), len(unlisted.channel.phone()))


def test_what_a_vendor_does_not_offer_is_said(
    unlisted: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check of credentials, fields to ask for, and the deletion of a message."""
    (row,) = unlisted.succeed("secrets", "check", TWILIO_SECRET)
    assert ("Post", "") == (row["vendor"], row["problem"])
    assert "Post was not asked" in row["note"]
    monkeypatch.setattr(secrets, "is_terminal", lambda: True)
    assert "give the value as JSON" in unlisted.refused("secrets", "set", TWILIO_SECRET)
    unlisted.channel.deliver(context())
    assert "Post offers no deletion of messages" in unlisted.run(*ERASE).output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a valid context object."""
    path = tmp_path / "context.json"
    path.write_text(context(conversation_id="by-hand"))
    return path


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_valid_context_is_queued(operator: OperatorChannel, file: Path, encoding: str) -> None:
    """In any encoding that its first bytes tell, with an unchanged body, in its tenant's group."""
    body = file.read_text()
    file.write_text(body, encoding=encoding)
    document = operator.succeed("send", str(file), "--yes")
    assert document["sent_to_queue"]
    (message,) = operator.channel.sqs.receive_message(
        QueueUrl=operator.channel.queue_url, AttributeNames=["MessageGroupId"]
    )["Messages"]
    assert ("demo-company", body) == (message["Attributes"]["MessageGroupId"], message["Body"])


def test_another_encoding_is_refused_in_one_line(operator: OperatorChannel, file: Path) -> None:
    """Its characters would be unknown."""
    file.write_text('{"name": "Ren\u00e9"}', encoding="latin-1")
    error = f"{file}: expected a text in UTF-8, found another encoding (byte 14)"
    assert [error] == operator.refused("send", str(file), "--yes").splitlines()


def test_a_context_object_of_another_channel_suggests_the_option(
    operator: OperatorChannel, file: Path
) -> None:
    """If there is such a channel; another value may be anything, and is not shown."""
    operator.deployments.add({"QUEUE_URL": ""}, {"DeadLetterQueueUrl": ""}, SMS)
    other = file.with_name("another one.json")
    for named, is_shown in (("sms", True), ("Amara", False)):
        other.write_text(file.read_text().replace('"whatsapp"', f'"{named}"', 1))
        output = operator.run("send", str(other), "--env", "dev").output
        assert is_shown == (f"python -m ops send '{other}' --env dev --channel sms\n" in output)
        assert "Amara" not in output


def test_a_file_that_cannot_be_read_is_reported() -> None:
    """In one line with its name and the reason."""
    broken = Mock(read=Mock(side_effect=OSError(5, "Input/output error")))
    broken.name = "x.json"
    with pytest.raises(OperatorError, match=r"^x\.json: cannot be read: Input/output error$"):
        read_text(broken)


@pytest.mark.parametrize(("code", "exit_code"), [("", 0), ("21211", 1)])
def test_a_message_is_followed_to_its_end(
    operator: OperatorChannel,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    exit_code: int,
) -> None:
    """Each status is shown with its failure; the exit code says whether the message was sent."""
    monkeypatch.setattr(conversations, "POLL_SECONDS", 0.02)
    if code:
        operator.channel.twilio.fail_next(code)

    def work() -> None:
        while not operator.process_queue():
            sleep(0.02)

    worker = Thread(target=work)
    worker.start()
    result = operator.run("send", str(file), "--yes", "--follow", "--patience", "60")
    worker.join()
    assert exit_code == result.exit_code
    status = "failed (twilio_21211 at send)" if code else "initial_message_sent"
    assert f"  {status}\n" in result.stdout


def test_a_timeout_is_a_failure(operator: OperatorChannel, file: Path) -> None:
    """Without a worker the command ends after --patience with exit code 1."""
    result = operator.run("send", str(file), "--yes", "--follow", "--patience", "0", "--json")
    assert (1, "") == (result.exit_code, json.loads(result.stdout)["status"])


def stored(operator: OperatorChannel, name: str) -> object:
    client = operator.channel.secretsmanager
    return json.loads(client.get_secret_value(SecretId=name)["SecretString"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (OPENAI_SECRET, '{"ai_api_key": "another-key"}', "openai_invalid_api_key"),
        (TWILIO_SECRET, "not JSON", "secret_malformed"),
        (TWILIO_SECRET, json.dumps({**CREDENTIALS, "twilio_auth_token": "old"}), "twilio_20003"),
        (
            TWILIO_SECRET,
            json.dumps({**CREDENTIALS, "twilio_template_sid": f"HX{9:032}"}),
            "twilio_template_missing",
        ),
        (f"{TWILIO_SECRET}-missing", None, "ResourceNotFoundException"),
    ],
)
def test_bad_secrets(operator: OperatorChannel, name: str, value: str | None, message: str) -> None:
    """The problem, or the refusal of Secrets Manager, has a code, and the value is not shown."""
    if value is not None:
        operator.channel.set_secret(name, value)
    output = operator.refused("secrets", "check", name)
    assert message in "".join(output.split())
    assert not {"another-key", TOKEN} & set(output.split())


def test_a_secret_that_is_scheduled_for_deletion_is_listed(operator: OperatorChannel) -> None:
    """With the command that restores it."""
    operator.channel.secretsmanager.delete_secret(SecretId=TWILIO_SECRET, RecoveryWindowInDays=7)
    remedy = f"restore-secret--secret-id{TWILIO_SECRET}"
    assert remedy in "".join(operator.refused("secrets", "check").split())


def test_secret_scheduled_for_deletion_is_not_stored(operator: OperatorChannel) -> None:
    """Secrets Manager refuses it, which moto does not; the error has the remedy."""
    client = operator.channel.secretsmanager
    with Stubber(client) as stubber:
        stubber.add_client_error("put_secret_value", "InvalidRequestException")
        store = SecretStore(client, Mock())
        with pytest.raises(OperatorError, match=f"restore-secret --secret-id {TWILIO_SECRET}"):
            store.write(TWILIO_SECRET, CREDENTIALS)


def test_an_api_key_is_checked_and_stored(operator: OperatorChannel) -> None:
    """A standard key may not read the account, so it is checked with a list of messages."""
    key, secret = f"SK{'2' * 32}", "a-made-up-key-secret"
    value = {
        "twilio_account_sid": ACCOUNT, "twilio_api_key_sid": key, "twilio_api_key_secret": secret
    }  # fmt: skip
    call, text = ("secrets", "set", TWILIO_SECRET, "--yes"), json.dumps(value)
    assert "twilio_20003" in "".join(operator.refused(*call, answer=text).split())
    operator.channel.twilio._logins[key] = ACCOUNT, secret
    try:
        another = json.dumps(value | {"twilio_account_sid": f"AC{'9' * 32}"})
        assert "the account is missing" in operator.refused(*call, answer=another)
        operator.succeed(*call, answer=text)
        assert value == stored(operator, TWILIO_SECRET)
        (row,) = operator.succeed("secrets", "check", TWILIO_SECRET)
        assert ("", True) == (row["problem"], "no status callbacks" in row["note"])
    finally:
        del operator.channel.twilio._logins[key]


def test_secret_is_prompted_for(operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal each field is prompted for, an API key first; optional ones may be left out."""
    monkeypatch.setattr(secrets, "is_terminal", lambda: True)
    answers = f"{ACCOUNT}\n\n\n{TOKEN}\n\ny\n"
    result = operator.run("secrets", "set", TWILIO_SECRET, answer=answers)
    assert 0 == result.exit_code, result.output
    assert TOKEN not in result.output
    assert CREDENTIALS == stored(operator, TWILIO_SECRET)


def test_the_vendors_check_can_be_skipped(operator: OperatorChannel) -> None:
    """--unproven stores a value while its vendor is unavailable."""
    operator.channel.openai.fail_next("server_error", times=5)
    call, text = ("secrets", "set", OPENAI_SECRET, "--yes"), '{"ai_api_key": "a-newer-key"}'
    assert "not stored" in operator.refused(*call, answer=text)
    operator.succeed(*call, "--unproven", answer=text)
    assert {"ai_api_key": "a-newer-key"} == stored(operator, OPENAI_SECRET)


def test_an_unavailable_model_is_a_problem(operator: OperatorChannel, tmp_path: Path) -> None:
    """The command fails and reports OpenAI's code, and skips definitions without a model."""
    (tmp_path / "one.toml").write_text(GOOD.replace("gpt-6-luna", "gpt-gone"))
    (tmp_path / "two.toml").write_text("model = ")
    call = ("assistants", "check", "--directory", str(tmp_path))
    result = operator.run(*call, "--json")
    assert 1 == result.exit_code
    one, two = json.loads(result.stdout)
    codes = [problem.split()[1].rstrip(":,") for problem in one["problems"]]
    assert ["openai_model_not_found"] == codes
    assert "expected TOML" in two["problems"][0]
    assert "openai_model_not_found" in operator.refused(*call).replace(" ", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (GOOD + "max_lenght = 5", "max_lenght: expected only the keys model, instructions, var"),
        (GOOD + VARIABLE.format("a", 2000), "the channel allows 1024 characters"),
        (GOOD + VARIABLE.format("a" * 120_001, 5), "120,000"),
        (GOOD, "variables: the channel requires subject"),
    ],
)
def test_an_invalid_definition_has_problems(tmp_path: Path, text: str, problem: str) -> None:
    """The problem names the field."""
    path = tmp_path / "one.toml"
    path.write_text(text)
    rules = replace(whatsapp.PARTS.text_rules, required_variables=("subject",))
    problems = check_file(path, rules).problems
    assert any(problem in each for each in problems), problems


def test_tenants_with_affected_inline_definitions(operator: OperatorChannel) -> None:
    """Each tenant is listed once, over all pages of the table, and without names that it chose."""
    name = "a_name_of_a_person"
    old = {"max_output_tokens": 5, "variables": {name: {"description": "d", "max_length": 9}}}
    inline = {
        "sound": {"model": "gpt-6-luna", "instructions": "Write.", "max_output_tokens": 300},
        "old-1": {"model": "gpt-6-luna", "instructions": "Write.", **old},
        "old-2": {"model": "gpt-6-luna", "instructions": "Write.", **old},
        "none": None,
    }
    for conversation, definition in inline.items():
        operator.channel.deliver(context(conversation_id=conversation))
        ai_config = {"openai_config": {"whatsapp": {"assistant": definition}}}
        company = conversation.partition("-")[0]
        operator.channel.set_fields(
            conversation, ai_config=ai_config, company_id=company, updated_at=f"at {conversation}"
        )
    call = ("assistants", "check", "--records")
    result = operator.run(*call, "--json")
    short_name = "a name of 1 to 16 letters, digits and underscores, found another name"
    problems = [
        f"variables.?: expected {short_name}",
        "max_output_tokens: expected a whole number of at least 16, found a number",
    ]
    columns = ("company_id", "records", "affected", "last_affected", "problems")
    expected = [("old", 2, 2, "at old-2", problems), ("sound", 1, 0, "", [])]
    assert expected == [tuple(row[name] for name in columns) for row in json.loads(result.stdout)]
    assert 1 == result.exit_code
    assert "did not record the unknown keys" in result.stderr
    assert name not in result.output
    assert name in operator.run(*call, "--show-personal-data").output
    operator.channel.set_fields("old-1", ai_config={})
    operator.channel.set_fields("old-2", ai_config={})
    assert ["sound"] == [row["company_id"] for row in operator.succeed(*call)]


@pytest.mark.parametrize(
    ("shutdown", "problems", "warnings"),
    [(None, 0, 0), ("2026-12-11", 1, 0), ("2027-01-14", 0, 1)],
)
def test_a_model_must_stay_available(shutdown: str | None, problems: int, warnings: int) -> None:
    """A shutdown within the given days is a problem, a later one a warning."""
    checked = DefinitionCheck("one", "m")
    end = date.fromisoformat(shutdown) if shutdown else None
    check_model(checked, end, date(2026, 11, 22), days=30)
    assert (problems, warnings) == (len(checked.problems), len(checked.warnings))


def test_delivery_events_are_erased(operator: OperatorChannel, callbacks: Callbacks) -> None:
    """Callbacks and lookups on both queues; others' stay, and a delayed one is in flight."""
    sid = callbacks.send()
    callbacks.post(callbacks.request("read", sid))
    (own,) = callbacks.events()
    other = json.dumps(own).replace(RECIPIENT[1:], "447700900999")
    lookup, theirs = (
        json.dumps({"lookup": {"primary_channel": number, "conversation_id": "c"}})
        for number in (RECIPIENT, "+447700900999")
    )
    unreadable = json.dumps({**own, "body": own["body"].replace("MessageSid", "Sid")})
    operator.dead_letter(json.dumps(own), other, lookup, theirs, unreadable, events=True)
    url = operator.events_queue_url
    operator.channel.sqs.send_message(QueueUrl=url, MessageBody=lookup, DelaySeconds=900)

    output = operator.refused(*ERASE)
    assert "3 in whatsapp events dead letters" in output
    assert "2 in whatsapp events queue" in output  # the event in flight, the delayed lookup
    assert sorted((other, theirs)) == sorted(operator.events())


@pytest.mark.parametrize("change", ["Erasure._sweep", "Suppressions.mark_erased"])
def test_an_interrupted_erasure_shows_what_was_erased(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The receipt so far is shown as incomplete, and the erasure can be repeated."""
    operator.channel.deliver(context(conversation_id="sent"))

    def interrupt(*_: object, **options: object) -> None:
        if options.get("change", True):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"ops.erasure.{change}", interrupt)
        assert "erased before the interruption" in operator.interrupted(*ERASE)
        assert not json.loads(operator.run(*ERASE, "--json").stdout)["is_complete"]
    assert operator.succeed(*ERASE)["is_complete"]
    assert operator.channel.record("sent") is None
