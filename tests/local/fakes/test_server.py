"""What the fakes have in common: the server, the rules for faults, and the control API."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from local.fakes import FakeOpenAI, FakeTwilio, Fault, Match, RecordedRequest, Rule
from local.fakes.faults import FaultPlan
from local.lifecycle import wait_for
from local.vendors import Inbox, InboxPosition, RemoteInbox
from tests.local.fakes.clients import (
    ACCOUNT,
    KEY,
    MODEL,
    RECIPIENT,
    SENDER,
    TIMEOUT,
    TOKEN,
    twilio_client,
)

RESET, HANG = Fault.reset(), Fault.hang()


def _openai() -> FakeOpenAI:
    return FakeOpenAI(keys={KEY}, models=[MODEL])


def _twilio() -> FakeTwilio:
    return FakeTwilio(accounts={ACCOUNT: TOKEN})


def test_old_requests_and_messages_are_forgotten() -> None:
    """With a limit the latest are kept; an inbox is read from a position on, in any process."""
    with _twilio() as fake:
        fake.limit_history(requests=3, messages=2)
        messages, position = twilio_client(fake.base_url).messages, InboxPosition()
        inboxes = Inbox(fake), Inbox(RemoteInbox(fake.origin))
        for body in "abc":
            position, _ = inboxes[0].since(())
            messages.create(to=RECIPIENT, from_=SENDER, body=body)
        assert {"b", "c"} == {message.body for message in messages.list()}
        assert ([1, 2, 3], 1) == ([r.number for r in fake.requests], fake.forgotten_requests)
        for inbox in inboxes:
            assert ["b", "c"] == [message.body for message in inbox.since(())[1]]
            end, found = inbox.since(position)
            assert ["c"] == [message.body for message in found]
            assert (end, []) == inbox.since(end)


def test_a_stopped_fake_leaves_no_thread() -> None:
    """Repeated starts and stops end every thread."""
    before = set(threading.enumerate())
    for fake in (_openai(), _twilio()):
        for _ in range(5):
            with fake:
                assert fake.origin.startswith("http://127.0.0.1:")
    assert not set(threading.enumerate()) - before


@pytest.mark.parametrize("fault", [Fault.hang(), Fault.slow(TIMEOUT)])
def test_a_stop_aborts_open_requests(fault: Fault) -> None:
    """A stop does not wait for a request that hangs or sleeps, nor for an idle connection."""
    fake = _openai()
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"model": MODEL, "input": "Hello"}
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as idle:
        with fake:
            fake.fail_next(fault)
            host, port = fake.origin.removeprefix("http://").split(":")
            idle.enter_context(socket.create_connection((host, int(port))))
            url = f"{fake.base_url}/responses"
            pending = pool.submit(requests.post, url, json=body, headers=headers, timeout=TIMEOUT)
            assert wait_for(lambda: fake.requests, TIMEOUT)
            started = time.perf_counter()
        assert time.perf_counter() - started < TIMEOUT / 2
        with pytest.raises(requests.exceptions.ConnectionError):
            pending.result(timeout=TIMEOUT)


def test_a_hanging_request_ends_when_its_client_disconnects(openai: FakeOpenAI) -> None:
    """The thread of a hanging request ends soon after the client closed the connection."""
    openai.fail_next(Fault.hang())
    before = set(threading.enumerate())
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(openai.base_url, timeout=0.1)
    assert wait_for(lambda: set(threading.enumerate()) <= before, TIMEOUT)


def test_concurrent_messages_are_accepted_once_each(twilio: FakeTwilio, sms: Client) -> None:
    """Every message of many threads is accepted once, with its own sid."""

    def send(number: int) -> str | None:
        return sms.messages.create(to=RECIPIENT, from_=SENDER, body=str(number)).sid

    with ThreadPoolExecutor(16) as pool:
        sids = list(pool.map(send, range(48)))
    inbox = twilio.inbox(RECIPIENT)
    assert 48 == len(set(sids))
    assert set(sids) == {message.sid for message in inbox}
    assert {str(number) for number in range(48)} == {message.body for message in inbox}
    assert list(range(48)) == [request.number for request in twilio.requests]


def _request(body: str = "") -> RecordedRequest:
    return RecordedRequest(
        number=0, method="POST", path="/v1/things", query={}, body={"text": body}, at=0
    )


def _failures(count: int, rule: Rule) -> list[bool]:
    plan = FaultPlan()
    plan.add(rule)
    return [plan.next_fault(_request()) is not None for _ in range(count)]


@pytest.mark.parametrize(
    ("rule", "failures"),
    [
        (Rule(RESET, times=2), [True, True, False, False]),
        (Rule(RESET, times=None), [True] * 4),
        (Rule(RESET, skip=2), [False, False, True, False]),
        (Rule(RESET, probability=0), [False] * 4),
    ],
)
def test_a_rule_applies_as_often_as_it_says(rule: Rule, failures: list[bool]) -> None:
    """A rule applies `times` times after `skip` requests; without a number it always applies."""
    assert failures == _failures(4, rule)


def test_the_first_matching_rule_applies() -> None:
    """Rules are tried in the order in which they were added, and used ones are removed."""
    plan = FaultPlan()
    for rule in (Rule(HANG, Match(method="GET")), Rule(RESET), Rule(HANG)):
        plan.add(rule)
    assert [RESET, HANG, None] == [plan.next_fault(_request()) for _ in range(3)]
    assert [HANG] == [rule.fault for rule in plan.pending()]
    plan.clear()
    assert [] == plan.pending()


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        (Match(method="GET"), False),
        (Match(paths=("/v1/other", "/v1/th*")), True),
        (Match(paths=("/v1",)), False),
        (Match(contains="hällo"), True),
        (Match(contains="bye"), False),
        (Match(predicate=lambda request: request.body["text"] == "hällo"), True),
    ],
)
def test_every_condition_of_a_match_is_checked(match: Match, matches: bool) -> None:
    """Method, path, contained text and predicate must all hold if they are given."""
    assert matches == match.matches(_request("hällo"))


def test_a_fault_of_another_vendor_is_rejected() -> None:
    """A fake rejects a rule for a fault that it does not support."""
    with pytest.raises(ValueError, match="FakeTwilio does not support refusal"):
        FakeTwilio(accounts={}).fail_next(Fault.refusal())
    with pytest.raises(ValueError, match="FakeOpenAI does not support undelivered"):
        FakeOpenAI(keys=[], models=["m"]).fail_next(Fault.undelivered())


def _control(
    fake: FakeTwilio | FakeOpenAI, method: str, route: str, body: Any = None, status: int = 200
) -> Any:
    url = f"{fake.origin}/_control/{route}"
    response = requests.request(method, url, json=body, timeout=TIMEOUT)
    assert status == response.status_code
    return response.json() if response.content else None


def _send(client: Client) -> str | None:
    return client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello").sid


def test_faults_are_added_by_name(openai: FakeOpenAI, twilio: FakeTwilio, sms: Client) -> None:
    """It applies to the next request, a fault of the model's output to the next with an output."""
    _control(twilio, "POST", "faults", {"fault": "20429"}, 201)
    with pytest.raises(TwilioRestException) as failed:
        _send(sms)
    assert 20429 == failed.value.code
    _control(openai, "POST", "faults", {"fault": {"kind": "refusal", "message": "No."}}, 201)
    assert ("/v1/responses", "/v1/threads/*/runs") == openai.pending_faults[0].match.paths


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


@pytest.mark.parametrize(
    ("route", "document", "problem"),
    [
        ("faults", {"fault": "no_such_code"}, "no_such_code"),
        ("faults", {"fault": {"kind": "explode"}}, "kind"),
        ("faults", {"fault": {"kind": "error", "status": 200}}, "status"),
        ("faults", {"fault": {"kind": "reset"}, "times": 0}, "times"),
        ("faults", {"fault": {"kind": "reset"}, "match": {"path": "/"}}, "path"),
        ("settings", {"lag": 1}, "lag"),
        ("settings", {"list_lag_requests": -1}, "list_lag_requests"),
    ],
)
def test_invalid_documents(twilio: FakeTwilio, route: str, document: object, problem: str) -> None:
    """An invalid document gets status 400 and the name of the problem, and changes nothing."""
    before = twilio.settings
    response = _control(twilio, "PATCH" if route == "settings" else "POST", route, document, 400)
    assert problem in " ".join(response["problems"])
    assert (before, []) == (twilio.settings, twilio.pending_faults)


def test_state_and_requests_are_shown_without_secrets(twilio: FakeTwilio, sms: Client) -> None:
    """The accepted messages, the inboxes and the requests with their outcome are readable."""
    sid = _send(sms)
    twilio.fail_next(Fault.empty())
    _send(sms)
    state, inboxes, recorded = (
        _control(twilio, "GET", route) for route in ("state", "inboxes", "requests")
    )
    assert [sid, sid] == [state["messages"][0]["sid"], inboxes["+15550100002"][0]["sid"]]
    assert [("POST", 201, None), ("POST", 201, "empty")] == [
        (each["method"], each["status"], each["fault"]) for each in recorded
    ]
    assert {"To": RECIPIENT, "From": SENDER, "Body": "Hello"} == recorded[0]["body"]
    assert TOKEN not in str((state, recorded))
