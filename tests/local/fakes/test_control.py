"""The control API, by which another process controls a fake."""

from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.fakes import FakeOpenAI, FakeTwilio, Fault
from tests.local.fakes.clients import KEY, RECIPIENT, SENDER, TOKEN


def _control(
    fake: FakeTwilio | FakeOpenAI, method: str, route: str, body: Any = None, status: int = 200
) -> Any:
    url = f"{fake.origin}/_control/{route}"
    response = requests.request(method, url, json=body, timeout=5)
    assert status == response.status_code
    return response.json() if response.content else None


def _send(client: Client) -> str | None:
    return client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello").sid


def test_a_fault_is_added_by_name(twilio: FakeTwilio, sms: Client) -> None:
    """A fault added by its name applies to the next request."""
    _control(twilio, "POST", "faults", {"fault": "20429"}, 201)
    with pytest.raises(TwilioRestException) as failed:
        _send(sms)
    assert 20429 == failed.value.code


def test_a_rule_is_added_with_all_its_parts(twilio: FakeTwilio) -> None:
    """Every part of a rule can be given, is listed, and can be removed."""
    rule = {
        "fault": {"kind": "reset", "effect_applied": True},
        "match": {"method": "POST", "paths": ["*/Messages.json"], "contains": "+1555"},
        "times": None,
        "skip": 1,
        "probability": 0.5,
        "seed": 3,
    }
    (added,) = _control(twilio, "POST", "faults", rule, 201)
    assert [added] == _control(twilio, "GET", "faults")
    assert rule["match"] == added["match"]
    (pending,) = twilio.pending_faults
    assert Fault.reset(effect_applied=True) == pending.fault
    assert (None, 1, 0.5, 3) == (pending.times, pending.skip, pending.probability, pending.seed)
    _control(twilio, "DELETE", "faults", None, 204)
    assert [] == _control(twilio, "GET", "faults")


def test_a_fault_gets_its_default_match(openai: FakeOpenAI) -> None:
    """A fault of the model's output without a match applies to the requests that have an output."""
    _control(openai, "POST", "faults", {"fault": {"kind": "refusal", "message": "No."}}, 201)
    assert ("/v1/responses", "/v1/threads/*/runs") == openai.pending_faults[0].match.paths


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({}, "fault"),
        ({"fault": "no_such_code"}, "no_such_code"),
        ({"fault": {"kind": "explode"}}, "kind"),
        ({"fault": {"kind": "reset", "colour": "red"}}, "colour"),
        ({"fault": {"kind": "reset"}, "times": 0}, "times"),
        ({"fault": {"kind": "reset"}, "skip": -1}, "skip"),
        ({"fault": {"kind": "reset"}, "probability": 1.5}, "probability"),
        ({"fault": {"kind": "reset"}, "match": {"path": "/"}}, "path"),
        ({"fault": {"kind": "reset"}, "often": 2}, "often"),
    ],
)
def test_an_invalid_rule_is_rejected(twilio: FakeTwilio, rule: object, problem: str) -> None:
    """An invalid rule gets a response with status 400 that names the problem."""
    response = _control(twilio, "POST", "faults", rule, 400)
    assert problem in " ".join(response["problems"])
    assert [] == twilio.pending_faults


def test_state_and_requests_are_shown_without_secrets(twilio: FakeTwilio, sms: Client) -> None:
    """The accepted messages, the inboxes and the requests with their outcome are readable."""
    sid = _send(sms)
    twilio.fail_next(Fault.empty())
    _send(sms)
    state, recorded = _control(twilio, "GET", "state"), _control(twilio, "GET", "requests")
    assert [sid, sid] == [state["messages"][0]["sid"], state["phones"]["+15550100002"][0]["sid"]]
    assert [("POST", 201, None), ("POST", 201, "empty")] == [
        (each["method"], each["status"], each["fault"]) for each in recorded
    ]
    assert {"To": RECIPIENT, "From": SENDER, "Body": "Hello"} == recorded[0]["body"]
    assert TOKEN not in str((state, recorded))


def test_settings_can_be_changed(twilio: FakeTwilio, sms: Client) -> None:
    """Single settings can be changed; the others stay."""
    before = twilio.settings
    shown = _control(twilio, "PATCH", "settings", {"list_lag_requests": 1})
    assert 1 == shown["list_lag_requests"]
    assert before.sent_after_seconds == twilio.settings.sent_after_seconds
    _send(sms)
    assert [0, 1] == [len(sms.messages.list()) for _ in range(2)]


@pytest.mark.parametrize(
    "changes", [{"lag": 1}, {"list_lag_requests": -1}, {"list_lag_requests": "x"}]
)
def test_invalid_settings_are_rejected(twilio: FakeTwilio, changes: dict[str, object]) -> None:
    """An unknown setting or an invalid value is named, and nothing changes."""
    before = twilio.settings
    response = _control(twilio, "PATCH", "settings", changes, 400)
    assert next(iter(changes)) in " ".join(response["problems"])
    assert before == twilio.settings


def test_everything_can_be_reset(openai: FakeOpenAI) -> None:
    """After a reset there are no rules, requests, conversations or threads."""
    headers = {"Authorization": f"Bearer {KEY}"}
    requests.post(f"{openai.base_url}/conversations", headers=headers, timeout=5)
    openai.fail_next(Fault.reset())
    _control(openai, "DELETE", "state", None, 204)
    state = _control(openai, "GET", "state")
    assert ([], [], []) == (state["conversations"], openai.requests, openai.pending_faults)


def test_control_requests_are_not_recorded_and_never_fail(twilio: FakeTwilio) -> None:
    """Rules do not apply to control requests, which are not in the log."""
    twilio.add_rule(twilio.rule(Fault.reset(), times=None))
    assert 1 == len(_control(twilio, "GET", "faults"))
    assert [] == twilio.requests
