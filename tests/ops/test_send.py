"""Sending: checked as the processor checks it, for its tenant, and followed to its end."""

import json
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from local.waiting import wait_for
from ops import following
from tests.ops.office import Office
from tests.services.channel import context, recipient_data


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a good context object."""
    path = tmp_path / "context.json"
    path.write_text(context(conversation_id="by-hand"))
    return path


def test_a_good_one_goes_on_the_queue_for_its_tenant(office: Office, file: Path) -> None:
    """The body is what was given, and the message group is the tenant."""
    document = office.done("send", str(file), "--yes")
    assert document["sent_to_queue"]
    (message,) = office.channel.sqs.receive_message(
        QueueUrl=office.channel.queue_url, AttributeNames=["MessageGroupId"]
    )["Messages"]
    assert ("demo-company", file.read_text()) == (
        message["Attributes"]["MessageGroupId"],
        message["Body"],
    )


def test_everything_wrong_is_told_and_nothing_sent(office: Office) -> None:
    """Each problem has its field; no value is quoted."""

    def spoil(document: dict[str, Any]) -> None:
        recipient_data(document).update(comms_consent="no", recipient_tel="07700 900123")
        document["company_data_payload"]["project_status"] = "paused"

    result = office.run("send", "-", "--yes", "--json", answer=context(spoil))
    assert 1 == result.exit_code
    fields = {each["field"].rpartition(".")[2] for each in json.loads(result.stdout)["problems"]}
    assert {"comms_consent", "recipient_tel", "project_status"} == fields
    assert "07700" not in result.output
    assert [] == office.queued()


def test_a_dry_run_sends_nothing(office: Office, file: Path) -> None:
    """Nor does a no."""
    assert not office.done("send", str(file), "--dry-run")["sent_to_queue"]
    assert "nothing was changed" in office.refused("send", str(file), answer="n\n")
    assert [] == office.queued()


def test_it_is_followed_to_its_end(
    office: Office, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The states are shown as they come; the exit code tells whether it was sent."""
    monkeypatch.setattr(following, "POLL_SECONDS", 0.05)
    worker = Thread(target=_work_off_when_there, args=(office,))
    worker.start()
    result = office.run("send", str(file), "--yes", "--follow", "--patience", "60")
    worker.join()
    assert 0 == result.exit_code
    assert "  initial_message_sent\n" in result.stdout


def test_one_that_does_not_end_in_time_is_no_success(office: Office, file: Path) -> None:
    """Without a worker nothing comes of it, and the exit code says so."""
    result = office.run("send", str(file), "--yes", "--follow", "--patience", "0", "--json")
    assert (1, "") == (result.exit_code, json.loads(result.stdout)["status"])


def _work_off_when_there(office: Office) -> None:
    wait_for(lambda: office.work_off() > 0, 60)
