"""The control endpoint, by which another process commands a stand-in."""

from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.stand_ins import Fault, OpenAIStandIn, TwilioStandIn
from tests.local.stand_ins.made_up import KEY, RECIPIENT, SENDER, TOKEN


def _control(
    stand_in: TwilioStandIn | OpenAIStandIn, method: str, what: str, body: Any = None
) -> Any:
    url = f"{stand_in.origin}/_control/{what}"
    answer = requests.request(method, url, json=body, timeout=5)
    content = answer.json() if answer.content else None
    assert answer.ok, content
    return content


def _send(client: Client) -> str | None:
    return client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello").sid


def test_faults_can_be_ordered_by_name(twilio: TwilioStandIn, sms: Client) -> None:
    """A fault ordered over HTTP by its name befalls the next request."""
    _control(twilio, "POST", "faults", {"fault": "20429"})
    with pytest.raises(TwilioRestException) as failed:
        _send(sms)
    assert 20429 == failed.value.code


def test_faults_can_be_ordered_in_detail(twilio: TwilioStandIn) -> None:
    """Every part of a rule can be given over HTTP, and is shown again."""
    fault = {"kind": "reset", "effect_applied": True}
    match = {"method": "POST", "paths": ["*/Messages.json"], "contains": "+1555"}
    order = {
        "fault": fault,
        "match": match,
        "times": None,
        "skip": 1,
        "probability": 0.5,
        "seed": 3,
    }
    shown = _control(twilio, "POST", "faults", order)
    assert shown == _control(twilio, "GET", "faults")
    rule = twilio.pending_faults[0]
    assert Fault.reset(effect_applied=True) == rule.fault
    assert ("POST", ("*/Messages.json",), "+1555") == (
        rule.match.method,
        rule.match.paths,
        rule.match.contains,
    )
    assert (None, 1, 0.5, 3) == (rule.times, rule.skip, rule.probability, rule.seed)
    _control(twilio, "DELETE", "faults")
    assert [] == _control(twilio, "GET", "faults")


def test_spoilt_answers_are_aimed_at_requests_that_have_one(openai: OpenAIStandIn) -> None:
    """A fault ordered over HTTP without a match gets its usual one."""
    _control(openai, "POST", "faults", {"fault": {"kind": "refusal", "message": "No."}})
    assert ("/v1/responses", "/v1/threads/*/runs") == openai.pending_faults[0].match.paths


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({}, "fault"),
        ({"fault": "no_such_code"}, "no_such_code"),
        ({"fault": {"kind": "explode"}}, "kind"),
        ({"fault": {"kind": "reset", "colour": "red"}}, "colour"),
        ({"fault": {"kind": "reset"}, "times": 0}, "times"),
        ({"fault": {"kind": "reset"}, "match": {"path": "/"}}, "path"),
        ({"fault": {"kind": "reset"}, "often": 2}, "often"),
    ],
)
def test_wrong_orders_are_refused(twilio: TwilioStandIn, order: object, told: str) -> None:
    """A wrong order is answered with 400 and what is wrong with it."""
    answer = requests.post(f"{twilio.origin}/_control/faults", json=order, timeout=5)
    assert 400 == answer.status_code
    assert told in " ".join(answer.json()["problems"])
    assert [] == twilio.pending_faults


def test_the_state_shows_messages_and_phones(twilio: TwilioStandIn, sms: Client) -> None:
    """What was accepted and what phones show can be read from another process."""
    sid = _send(sms)
    state = _control(twilio, "GET", "state")
    assert [sid] == [message["sid"] for message in state["messages"]]
    assert [sid] == [message["sid"] for message in state["phones"]["+15550100002"]]
    assert TOKEN not in str(state)


def test_calls_are_shown_without_secrets(twilio: TwilioStandIn, sms: Client) -> None:
    """The calls so far are shown with their parameters and outcome, and without credentials."""
    twilio.fail_next(Fault.empty())
    _send(sms)
    calls = _control(twilio, "GET", "calls")
    assert [("POST", 201, "empty")] == [(c["method"], c["status"], c["fault"]) for c in calls]
    assert {"To": RECIPIENT, "From": SENDER, "Body": "Hello"} == calls[0]["body"]
    assert TOKEN not in str(calls)


def test_settings_can_be_changed(twilio: TwilioStandIn, sms: Client) -> None:
    """Single settings can be changed over HTTP; the others stay."""
    before = twilio.settings
    shown = _control(twilio, "PATCH", "settings", {"list_lag_calls": 1})
    assert 1 == shown["list_lag_calls"]
    assert before.sent_after_seconds == twilio.settings.sent_after_seconds
    _send(sms)
    assert [0, 1] == [len(sms.messages.list()) for _ in range(2)]


@pytest.mark.parametrize("changes", [{"lag": 1}, {"list_lag_calls": -1}, {"list_lag_calls": "x"}])
def test_wrong_settings_are_refused(twilio: TwilioStandIn, changes: dict[str, object]) -> None:
    """An unknown setting or a wrong value is answered with 400 and named; nothing changes."""
    before = twilio.settings
    answer = requests.patch(f"{twilio.origin}/_control/settings", json=changes, timeout=5)
    assert 400 == answer.status_code
    assert next(iter(changes)) in " ".join(answer.json()["problems"])
    assert before == twilio.settings


def test_everything_can_be_forgotten(openai: OpenAIStandIn) -> None:
    """After a reset there are no faults, calls, conversations or threads."""
    headers = {"Authorization": f"Bearer {KEY}"}
    requests.post(f"{openai.base_url}/conversations", headers=headers, timeout=5)
    openai.fail_next(Fault.reset())
    _control(openai, "DELETE", "state")
    state = _control(openai, "GET", "state")
    assert ([], [], []) == (state["conversations"], openai.requests, openai.pending_faults)


def test_control_is_neither_recorded_nor_befallen(twilio: TwilioStandIn) -> None:
    """Commands are not among the calls, and no fault befalls them."""
    twilio.add_rule(twilio.rule(Fault.reset(), times=None))
    assert 1 == len(_control(twilio, "GET", "faults"))
    assert [] == twilio.requests
