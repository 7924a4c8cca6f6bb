"""Starting, stopping and serving many at once."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from openai import OpenAI
from twilio.rest import Client

from local.stand_ins import Fault, OpenAIStandIn, StandIn, TwilioSettings, TwilioStandIn
from tests.local.stand_ins.made_up import ACCOUNT, KEY, MODEL, RECIPIENT, SENDER, TOKEN
from tests.local.stand_ins.twilio_client import twilio_client

Making = Callable[[int], "StandIn[object]"]

LONG = 60.0
"""Seconds that nothing here takes, on the slowest machine."""


def _openai(port: int = 0) -> OpenAIStandIn:
    return OpenAIStandIn(keys={KEY}, models=[MODEL], port=port)


def _twilio(port: int = 0) -> TwilioStandIn:
    return TwilioStandIn(accounts={ACCOUNT: TOKEN}, port=port)


@pytest.mark.parametrize("make", [_openai, _twilio])
def test_a_stopped_stand_in_leaves_no_thread(make: Making) -> None:
    """A stand-in that was started and stopped, again and again, ends every thread of its own."""
    stand_in = make(0)
    before = set(threading.enumerate())
    for _ in range(5):
        with stand_in:
            assert stand_in.origin.startswith("http://127.0.0.1:")
    assert not set(threading.enumerate()) - before


def test_a_stopped_stand_in_refuses_connections() -> None:
    """After the stop nobody listens, and the address is no longer known."""
    with _twilio() as twilio:
        origin = twilio.origin
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(origin, timeout=1)
    with pytest.raises(RuntimeError, match="TwilioStandIn is not running"):
        _ = twilio.origin


def test_a_stand_in_can_be_started_again_with_its_state() -> None:
    """State and calls outlive a stop."""
    stand_in = _twilio()
    with stand_in:
        client = twilio_client(stand_in.base_url, ACCOUNT, TOKEN)
        client.messages.create(to=RECIPIENT, from_=SENDER, body="Hello")
    with stand_in:
        assert requests.get(f"{stand_in.origin}/_control/calls", timeout=LONG).json()
        assert 1 == len(stand_in.phone(RECIPIENT))


def test_a_wanted_port_is_taken() -> None:
    """A stand-in listens on the port that it is told."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with _twilio(port) as stand_in:
        assert f"http://127.0.0.1:{port}" == stand_in.origin


def test_a_port_in_use_is_an_error() -> None:
    """A port that somebody else listens on raises OSError, and the stand-in is not running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stand_in = _twilio(taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            stand_in.start()
    stand_in.stop()


@pytest.mark.parametrize("fault", [Fault.hang(), Fault.slow(LONG), Fault.thinking(LONG)])
def test_stopping_does_not_wait_for_requests_under_way(fault: Fault) -> None:
    """A request that hangs or waits is cut off by the stop."""
    stand_in = _openai()
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"model": MODEL, "input": "Hello"}
    with ThreadPoolExecutor(1) as pool:
        with stand_in:
            stand_in.fail_next(fault)
            url = f"{stand_in.base_url}/responses"
            asking = pool.submit(requests.post, url, json=body, headers=headers, timeout=LONG)
            while not stand_in.requests:
                time.sleep(0.002)
            started = time.perf_counter()
        assert time.perf_counter() - started < LONG / 2
        with pytest.raises(requests.exceptions.ConnectionError):
            asking.result(timeout=LONG)


def test_stopping_does_not_wait_for_silent_connections() -> None:
    """A client that connects and says nothing does not hold up the stop."""
    stand_in = _openai()
    with stand_in:
        host, port = stand_in.origin.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))):
            assert requests.get(f"{stand_in.origin}/_control/calls", timeout=LONG).ok
            started = time.perf_counter()
            stand_in.stop()
            assert time.perf_counter() - started < LONG / 2


def test_a_hanging_request_ends_when_its_client_gives_up(openai: OpenAIStandIn) -> None:
    """The thread of a hanging request ends soon after the client closed the connection."""
    openai.fail_next(Fault.hang())
    before = threading.active_count()
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(openai.base_url, timeout=0.5)
    deadline = time.monotonic() + LONG
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.005)
    assert before >= threading.active_count()


def test_nothing_is_written_to_the_terminal(
    openai: OpenAIStandIn, ai: OpenAI, capfd: pytest.CaptureFixture[str]
) -> None:
    """Requests, resets and refusals leave no trace on standard output and error."""
    openai.fail_next(Fault.reset())
    for _ in range(2):
        with pytest.raises(Exception, match=r"Connection error|does not exist"):
            ai.responses.create(model="gone", input="Hello")
    assert ("", "") == tuple(capfd.readouterr())


def test_many_can_send_at_once(twilio: TwilioStandIn, sms: Client) -> None:
    """Every message of many threads is accepted once, under a sid of its own."""

    def send(number: int) -> str | None:
        return sms.messages.create(to=RECIPIENT, from_=SENDER, body=str(number)).sid

    with ThreadPoolExecutor(16) as pool:
        sids = list(pool.map(send, range(80)))
    assert 80 == len(set(sids))
    assert set(sids) == {message.sid for message in twilio.phone(RECIPIENT)}
    assert {str(number) for number in range(80)} == {m.body for m in twilio.phone(RECIPIENT)}
    assert list(range(80)) == [call.number for call in twilio.requests]


def test_faults_befall_exactly_as_many_of_many_at_once(twilio: TwilioStandIn) -> None:
    """A rule for ten requests befalls ten of forty that come at once."""
    twilio.fail_next(Fault.error(503, 20503), times=10)
    url = f"{twilio.base_url}/2010-04-01/Accounts/{ACCOUNT}.json"

    def check(_: int) -> int:
        return requests.get(url, auth=(ACCOUNT, TOKEN), timeout=5).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(check, range(40)))
    assert (10, 30) == (statuses.count(503), statuses.count(200))


def test_a_client_that_goes_away_is_no_news(
    twilio: TwilioStandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    """A client that ends in the middle of its request is not reported as an error."""
    port = int(twilio.origin.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=LONG) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            client.recv(1)
    assert ("", "") == capfd.readouterr()
    assert [] == twilio.requests


def test_settings_are_checked() -> None:
    """A negative delay is refused when the settings are made."""
    with pytest.raises(ValueError, match="list_lag_seconds"):
        TwilioSettings(list_lag_seconds=-1)
