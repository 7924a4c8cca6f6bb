"""The checks find the problems that they are made for: channels with one mistake each."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import CHECKS
from lambda_src.processors import OutgoingMessage, Settings
from stacks.config.channels import SMS
from tests.conformance.test_channels import subject

BY_NAME = {check.__name__: check for check in CHECKS}
log = logging.getLogger("lambda_src.channels.broken")


class WorkingSender:
    """The channel's sender, which the others change."""

    def __init__(self, settings: Settings) -> None:
        self._sender = subject(SMS).parts.make_sender(settings)

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Send the message."""
        return self._sender.send(credentials, message)

    def find(self, credentials: Any, message: OutgoingMessage, *, since: float) -> tuple[str, ...]:
        """Find the message."""
        return self._sender.find(credentials, message, since=since)


class SendsTwice(WorkingSender):
    """Every message is sent twice."""

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Send the message twice."""
        super().send(credentials, message)
        return super().send(credentials, message)


class FindsNothing(WorkingSender):
    """No message is ever found."""

    def find(self, *_: Any, **__: Any) -> tuple[str, ...]:
        """Find nothing."""
        return ()


class LogsRecipients(WorkingSender):
    """Recipients are logged."""

    def send(self, credentials: Any, message: OutgoingMessage) -> str:
        """Log the recipient and send the message."""
        log.info("sending to %s", message.recipient, extra={"event": "sending"})
        return super().send(credentials, message)


@pytest.mark.parametrize(
    ("check", "sender"),
    [
        ("check_send", SendsTwice),
        ("check_reconciliation", FindsNothing),
        ("check_log_privacy", LogsRecipients),
    ],
)
def test_a_broken_sender_does_not_conform(check: str, sender: type[WorkingSender]) -> None:
    """A broken sender is found by the check that is made for it."""
    working = subject(SMS)
    assert list(BY_NAME[check](replace(working, parts=replace(working.parts, make_sender=sender))))


def _first(template: dict[str, Any], kind: str) -> dict[str, Any]:
    resources = template["Resources"].values()
    return next(part["Properties"] for part in resources if part["Type"] == kind)


def _allow_all_secrets(template: dict[str, Any]) -> None:
    for statement in _first(template, "AWS::IAM::Policy")["PolicyDocument"]["Statement"]:
        if statement["Action"] == "secretsmanager:GetSecretValue":
            statement["Resource"] = ["arn:aws:secretsmanager:::secret:ai-multi-comms/*"]


MUTATIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "check_resource_names": lambda t: _first(t, "AWS::Lambda::Function").update(FunctionName="x"),
    "check_event_source": lambda t: _first(t, "AWS::Lambda::EventSourceMapping").pop(
        "FunctionResponseTypes"
    ),
    "check_alarms": lambda t: _first(t, "AWS::CloudWatch::Alarm").pop("AlarmActions"),
    "check_privileges": _allow_all_secrets,
    "check_environment": lambda t: _first(t, "AWS::Lambda::Function")["Environment"][
        "Variables"
    ].update(CHANNEL="whatsapp"),
}


@pytest.mark.parametrize("check", MUTATIONS)
def test_a_broken_template_does_not_conform(check: str, tmp_path: Path) -> None:
    """A broken template is found by the check that is made for it."""
    working = subject(SMS)
    template = json.loads(working.template.read_text("utf-8"))
    MUTATIONS[check](template)
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template))
    assert list(BY_NAME[check](replace(working, template=path)))
