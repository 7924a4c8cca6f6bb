"""Commands that only look: what they show and refuse, and that Ctrl-C leaves all as it was."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.waiting import wait_for
from tests.alarms.cases import CASES
from tests.local.world.tool.duty import Affair, Duty
from tests.local.world.tool.interruption import ctrl_c
from tests.local.world.tool.ways import Way, exercises
from tests.local.world.traffic import PATIENCE_SECONDS, each_channel
from tests.services.channel import OPENAI_SECRET


@dataclass(frozen=True)
class Look:
    """A command that only looks.

    Attributes:
        arguments: The call, about an affair.
        amid: A call to AWS in the middle of it.
    """

    arguments: Callable[[Affair], Sequence[str]]
    amid: str


LOOKS: Mapping[str, Look] = {
    "status": Look(lambda _: (), "sqs.GetQueueAttributes"),
    "conversation show": Look(lambda affair: (affair.id,), "dynamodb.Scan"),
    "conversation list": Look(lambda _: (), "dynamodb.Scan"),
    "dlq list": Look(lambda _: (), "dynamodb.GetItem"),
    "dlq show": Look(lambda affair: (affair.id,), "dynamodb.GetItem"),
    "unknown list": Look(lambda _: (), "dynamodb.Scan"),
    "secrets check": Look(lambda _: (), "secrets-manager.GetSecretValue"),
    "assistants check": Look(lambda _: (), "secrets-manager.GetSecretValue"),
    "suppression list": Look(lambda _: (), "dynamodb.Query"),
}
PERSONAL = ("Amara", "Okafor", "Warehouse")
each_look = pytest.mark.parametrize("command", LOOKS)


@exercises(Way.REFUSED, *LOOKS, "watch")
@pytest.mark.parametrize("command", [*LOOKS, "watch"])
def test_a_look_at_what_is_not_there_is_refused(duty: Duty, command: str) -> None:
    """One message names the stack that is missing, and says what to look at."""
    arguments = LOOKS[command].arguments(duty.affair()) if command in LOOKS else ()
    told = duty.refused(*command.split(), *arguments, "--channel", "fax")
    assert "no stack ai-multi-comms-fax-dev" in told
    assert "--env, --channel" in told


@exercises(Way.INTERRUPTED, *LOOKS)
@each_look
def test_an_interrupted_look_leaves_all_as_it_was(duty: Duty, command: str) -> None:
    """It ends at once and says so; record and letter are as before, and in nobody's hands."""
    (affair,) = duty.dead("waiting")
    before = duty.record(affair)
    look = LOOKS[command]
    with ctrl_c(duty.session, look.amid):
        told = duty.interrupted(*command.split(), *look.arguments(affair))
    assert "interrupted: nothing was changed" in told
    assert (before, [affair.body], 0) == (
        duty.record(affair),
        duty.letters(),
        duty.letters_in_hand(),
    )


@exercises(Way.DONE, "status")
@each_channel
def test_a_channel_is_seen(duty: Duty, channel: str) -> None:
    """Its mapping, all of its alarms, and how old the oldest message on its queue is."""

    def seen() -> dict[str, object] | None:
        found: dict[str, object] = duty.done("status", "--channel", channel)
        return found if found["oldest_seconds"] is not None else None

    found = wait_for(seen, PATIENCE_SECONDS) or {}
    assert "Enabled" == found["mapping"]
    assert len(CASES) == len(found["alarms"])  # type: ignore[arg-type]  # a list, or this fails
    assert "oldest" in duty.run("status", "--channel", channel).stdout


@exercises(Way.DONE, "watch")
def test_a_watch_looks_again(duty: Duty) -> None:
    """As often as it is told to, each time anew."""
    result = duty.run("watch", "--times", "2", "--every", "0.2", "--json")
    assert (0, 2) == (result.exit_code, result.stdout.count('"dead_letters"'))


@exercises(Way.DONE, "conversation show", "conversation list", "unknown list", "dlq show")
def test_conversations_and_letters_show_without_personal_data(duty: Duty) -> None:
    """State, reason and ids show; names, numbers and texts only where they are asked for."""
    (affair,) = duty.dead("unknown")
    rows = duty.done("conversation", "list", "--company", duty.company)
    assert [(affair.id, "send_unknown")] == [(row["conversation"], row["status"]) for row in rows]
    assert affair.id in {row["conversation"] for row in duty.done("unknown", "list")}

    (letter,) = duty.done("dlq", "show", affair.id)
    assert ("not_found_at_vendor", duty.company) == (letter["cause"], letter["company"])
    (record,) = duty.done("conversation", "show", affair.id)
    shown = json.dumps([rows, letter, record])
    assert not [word for word in (*PERSONAL, affair.number) if word in shown]
    (asked,) = duty.done("conversation", "show", affair.id, "--show-personal-data")
    assert affair.number == asked["primary_channel"]


@exercises(Way.DONE, "dlq list")
def test_dead_letters_are_grouped_by_cause(duty: Duty) -> None:
    """Each with what to do about it; afterwards they are where they were."""
    affairs = duty.dead("mended", "waiting", "untouched")
    found = duty.done("dlq", "list", "--letters")
    assert all(group["what_to_do"] for group in found["groups"])
    causes = {row["cause"] for row in found["letters"] if row["company"] == duty.company}
    assert {"twilio_21606", "openai_500", "no_record"} == causes
    assert sorted(affair.body for affair in affairs) == sorted(duty.letters())
    assert 0 == duty.letters_in_hand()


@exercises(Way.REFUSED, "conversation show", "dlq show", "secrets check")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("conversation show nowhere", "no record of the conversation nowhere"),
        ("dlq show nowhere", "no such dead letter is visible now"),
        ("secrets check somebody/elses", "somebody/elses: the channel's secrets are"),
    ],
)
def test_what_is_not_there_is_one_message(duty: Duty, command: str, said: str) -> None:
    """It names what was looked for, and nothing is shown instead."""
    assert said in duty.refused(*command.split())


@exercises(Way.DONE, "secrets check", "assistants check")
def test_secrets_and_assistants_are_proven(duty: Duty) -> None:
    """The vendors are asked with the deployed secrets, and all of them are good."""
    rows = duty.done("secrets", "check", OPENAI_SECRET)
    assert [{"secret": OPENAI_SECRET, "vendor": "OpenAI", "problem": ""}] == rows
    assert all(not row["problems"] for row in duty.done("assistants", "check"))


@exercises(Way.REFUSED, "assistants check")
def test_a_bad_assistant_is_told(duty: Duty, tmp_path: Path) -> None:
    """A definition that cannot work fails the check, and its place is named."""
    (tmp_path / "one.toml").write_text('model = "gpt-gone"\ninstructions = "Write."\n')
    told = duty.refused("assistants", "check", "--directory", str(tmp_path))
    assert "openai_model_not_found" in told.replace(" ", "")
