"""Starting and stopping the fakes, and concurrent requests."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from openai import OpenAI
from twilio.rest import Client

from local.fakes import FakeOpenAI, FakeTwilio, Fault
from tests.local.fakes.clients import ACCOUNT, KEY, MODEL, RECIPIENT, SENDER, TOKEN, twilio_client

TIMEOUT = 60.0
"""Seconds that no request here takes, even on the slowest machine."""


def _openai() -> FakeOpenAI:
    return FakeOpenAI(keys={KEY}, models=[MODEL])


def _twilio(port: int = 0) -> FakeTwilio:
    return FakeTwilio(accounts={ACCOUNT: TOKEN}, port=port)


def test_a_stopped_fake_leaves_no_thread() -> None:
    """Repeated starts and stops end every thread."""
    before = set(threading.enumerate())
    for fake in (_openai(), _twilio()):
        for _ in range(5):
            with fake:
                assert fake.origin.startswith("http://127.0.0.1:")
    assert not set(threading.enumerate()) - before


def test_a_stopped_fake_refuses_connections_and_keeps_its_state() -> None:
    """After a stop nothing listens; after another start state and requests are still there."""
    fake = _twilio()
    with fake:
        origin = fake.origin
        twilio_client(origin).messages.create(to=RECIPIENT, from_=SENDER, body="Hello")
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(origin, timeout=1)
    with pytest.raises(RuntimeError, match="FakeTwilio is not running"):
        _ = fake.origin
    with fake:
        assert requests.get(f"{fake.origin}/_control/requests", timeout=TIMEOUT).json()
        assert 1 == len(fake.inbox(RECIPIENT))


def test_a_port_in_use_is_an_error() -> None:
    """A requested port is used if it is free; a port in use raises OSError."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fake = _twilio(port)
        with pytest.raises(OSError, match="in use"):
            fake.start()
    fake.stop()
    with fake:
        assert f"http://127.0.0.1:{port}" == fake.origin


@pytest.mark.parametrize("fault", [Fault.hang(), Fault.slow(TIMEOUT), Fault.thinking(TIMEOUT)])
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
            while not fake.requests:
                time.sleep(0.002)
            started = time.perf_counter()
        assert time.perf_counter() - started < TIMEOUT / 2
        with pytest.raises(requests.exceptions.ConnectionError):
            pending.result(timeout=TIMEOUT)


def test_a_hanging_request_ends_when_its_client_disconnects(openai: FakeOpenAI) -> None:
    """The thread of a hanging request ends soon after the client closed the connection."""
    openai.fail_next(Fault.hang())
    before = threading.active_count()
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(openai.base_url, timeout=0.1)
    deadline = time.monotonic() + TIMEOUT
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.005)
    assert before >= threading.active_count()


def test_nothing_is_printed(
    openai: FakeOpenAI, ai: OpenAI, twilio: FakeTwilio, capfd: pytest.CaptureFixture[str]
) -> None:
    """Resets, refusals and clients that disconnect in the middle of a request print nothing."""
    openai.fail_next(Fault.reset())
    for _ in range(2):
        with pytest.raises(Exception, match=r"Connection error|does not exist"):
            ai.responses.create(model="gone", input="Hello")
    port = int(twilio.origin.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            client.recv(1)
    assert ("", "") == tuple(capfd.readouterr())
    assert [] == twilio.requests


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


def test_a_rule_counts_concurrent_requests(twilio: FakeTwilio) -> None:
    """A rule for ten requests applies to exactly ten of forty concurrent ones."""
    twilio.fail_next(Fault.error(503, 20503), times=10)
    url = f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}.json"

    def check(_: int) -> int:
        return requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(check, range(40)))
    assert (10, 30) == (statuses.count(503), statuses.count(200))
