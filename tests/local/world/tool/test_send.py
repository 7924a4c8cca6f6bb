"""Sending a context object by hand through the local cloud."""

from pathlib import Path

from lambda_src.core.contract import Status
from tests.local.world.tool.duty import Duty
from tests.local.world.tool.interruption import ctrl_c
from tests.local.world.tool.ways import Way, exercises


@exercises(Way.DONE, "send")
def test_a_good_one_is_validated_sent_and_followed(duty: Duty, tmp_path: Path) -> None:
    """A dry run only looks; the call itself ends when the message is on the phone."""
    affair = duty.affair()
    file = tmp_path / "context.json"
    file.write_text(affair.body)
    assert not duty.done("send", str(file), "--dry-run")["sent_to_queue"]
    assert ({}, []) == (duty.record(affair), duty.queued())

    end = duty.done("send", str(file), "--yes", "--follow")
    assert Status.SENT == end["status"]
    duty.await_sent(affair)


@exercises(Way.REFUSED, "send")
def test_a_bad_one_is_refused_with_all_that_is_wrong(duty: Duty) -> None:
    """Each problem has its field, and nothing goes on the queue; nor does it at a no."""
    affair = duty.affair()
    bad = affair.body.replace('"comms_consent": true', '"comms_consent": "yes"')
    told = duty.refused("send", "-", "--yes", answer=bad.replace('"active"', '"paused"'))
    assert "comms_consent" in told
    assert "project_status" in told
    assert "2 problem(s); nothing was sent" in told
    assert affair.number not in told
    assert ({}, []) == (duty.record(affair), duty.queued())


@exercises(Way.REFUSED, "send")
def test_a_no_sends_nothing(duty: Duty, tmp_path: Path) -> None:
    """The question stands between a good context object and the queue."""
    affair = duty.affair()
    file = tmp_path / "context.json"
    file.write_text(affair.body)
    assert "nothing was changed" in duty.refused("send", str(file), answer="n\n")
    assert ({}, []) == (duty.record(affair), duty.queued())


@exercises(Way.INTERRUPTED, "send")
def test_called_off_before_the_queue_nothing_is_sent(duty: Duty) -> None:
    """Sent again afterwards, and once more, it arrives once."""
    affair = duty.affair()
    call = ("send", "-", "--yes")
    with ctrl_c(duty.session, "dynamodb.GetItem"):
        told = duty.interrupted(*call, answer=affair.body)
    assert "interrupted: nothing was changed" in told
    assert ({}, []) == (duty.record(affair), duty.queued())

    duty.done(*call, answer=affair.body)
    duty.await_sent(affair)
    assert Status.SENT == duty.done(*call, "--follow", answer=affair.body)["recorded_already"]
    duty.await_sent(affair)
