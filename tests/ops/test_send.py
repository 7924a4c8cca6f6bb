"""`send`: a context object is validated, queued for its tenant, and followed to its end."""

import json
from pathlib import Path
from threading import Thread

import pytest

from ops import conversations
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import context


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a valid context object."""
    path = tmp_path / "context.json"
    path.write_text(context(conversation_id="by-hand"))
    return path


def test_a_valid_context_is_queued_for_its_tenant(operator: OperatorChannel, file: Path) -> None:
    """The body is unchanged, and the message group is the tenant."""
    document = operator.succeed("send", str(file), "--yes")
    assert document["sent_to_queue"]
    (message,) = operator.channel.sqs.receive_message(
        QueueUrl=operator.channel.queue_url, AttributeNames=["MessageGroupId"]
    )["Messages"]
    assert ("demo-company", file.read_text()) == (
        message["Attributes"]["MessageGroupId"],
        message["Body"],
    )


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
    worker = Thread(target=_process_when_queued, args=(operator,))
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


def _process_when_queued(operator: OperatorChannel) -> None:
    while not operator.process_queue():
        pass
