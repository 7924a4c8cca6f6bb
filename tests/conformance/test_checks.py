"""The checks notice what they are there for: channels with one mistake each."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import CHECKS
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.settings import Settings
from stacks.channels import SMS
from tests.conformance.test_channels import subject

BY_NAME = {check.__name__: check for check in CHECKS}
log = logging.getLogger("lambda_src.channels.broken")


class Broken:
    """The channel's sender, which a mistake is made of."""

    def __init__(self, settings: Settings) -> None:
        self._sender = subject(SMS).parts.make_sender(settings)

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Send as it should."""
        return self._sender.send(credentials, message)

    def find(self, credentials: Any, message: OutgoingMessage, *, since: float) -> tuple[str, ...]:
        """Look as it should."""
        return self._sender.find(credentials, message, since=since)


class SendsTwice(Broken):
    """Whatever fails is sent once more."""

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Send, and send again."""
        super().send(credentials, message)
        return super().send(credentials, message)


class FindsNothing(Broken):
    """Its list is always empty."""

    def find(
        self,
        credentials: Any,  # noqa: ARG002 - the port's own
        message: OutgoingMessage,  # noqa: ARG002 - the port's own
        *,
        since: float,  # noqa: ARG002 - the port's own
    ) -> tuple[str, ...]:
        """Find nothing."""
        return ()


class Talks(Broken):
    """It logs whom it sends to."""

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Say so, then send."""
        log.info("sending to %s", message.recipient, extra={"event": "sending"})
        return super().send(credentials, message)


MISTAKES = {
    "sends_and_records": SendsTwice,
    "settles_what_was_accepted": FindsNothing,
    "says_nothing_of_people": Talks,
}


@pytest.mark.parametrize("check", MISTAKES)
def test_a_sender_with_a_mistake_does_not_conform(check: str) -> None:
    """Each mistake is told by the check that is there for it."""
    whole = subject(SMS)
    broken = replace(whole, parts=replace(whole.parts, make_sender=MISTAKES[check]))
    assert list(BY_NAME[check](broken))


Change = Callable[[dict[str, Any]], object]


def _of(template: dict[str, Any], kind: str) -> dict[str, Any]:
    resources = template["Resources"].values()
    return next(part["Properties"] for part in resources if part["Type"] == kind)


def _allow_all_secrets(template: dict[str, Any]) -> None:
    for statement in _of(template, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]:
        if statement["Action"] == "secretsmanager:GetSecretValue":
            statement["Resource"] = ["arn:aws:secretsmanager:::secret:ai-multi-comms/*"]


MUTATIONS: dict[str, Change] = {
    "is_named_by_the_rule": lambda t: _of(t, "AWS::Lambda::Function").update(FunctionName="sms"),
    "is_fed_by_its_queue": lambda t: _of(t, "AWS::Lambda::EventSourceMapping").pop(
        "FunctionResponseTypes"
    ),
    "wakes_a_person": lambda t: _of(t, "AWS::CloudWatch::Alarm").pop("AlarmActions"),
    "may_do_no_more_than_it_does": _allow_all_secrets,
    "starts_with_its_environment": lambda t: _of(t, "AWS::Lambda::Function")["Environment"][
        "Variables"
    ].update(CHANNEL="whatsapp"),
}


@pytest.mark.parametrize("check", MUTATIONS)
def test_a_template_with_a_mistake_does_not_conform(check: str, tmp_path: Path) -> None:
    """Each mistake is told by the check that is there for it."""
    whole = subject(SMS)
    template = json.loads(whole.template.read_text("utf-8"))
    MUTATIONS[check](template)
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))
    assert [] == list(BY_NAME[check](whole))
    assert list(BY_NAME[check](replace(whole, template=path)))
