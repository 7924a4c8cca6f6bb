"""Vendors that hang or trickle, over real sockets: the handler returns before its end, cleanly.

All times are a fraction of the real ones. What a call may take by the arithmetic is several times
what its sockets' timeouts come to, so that a busy machine does not matter.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from lambda_src import composition, index
from lambda_src.core import timing
from lambda_src.core.settings import Settings
from tests.services.channel import Channel, context
from tests.services.slow_proxy import Pace, SlowProxy

SCALED = {
    "AWS_CALL_SECONDS": 0.8,
    "STALL_SECONDS": 0.5,
    "SKEW_SECONDS": 0.1,
    "MARGIN_SECONDS": 1.5,
    "OVERRUN_SECONDS": 1.5,
    "AI_GRACE_SECONDS": 0.3,
    "LEAST_AI_SECONDS": 0.1,
}
READ_SECONDS = 0.5
VENDOR_SECONDS = 0.5
PLENTY = 10.0
"""Seconds that the function has, of which only a part is needed."""

SLOW_VARIABLES = {
    "sqs": "AWS_ENDPOINT_URL_SQS",
    "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB",
    "secrets": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "openai": "OPENAI_BASE_URL",
    "twilio": "TWILIO_BASE_URL",
}


@dataclass
class Ending:
    """Lambda's context of a function that ends so many seconds after the first look at it."""

    seconds: float
    ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.ends_at = time.monotonic() + self.seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return max(0, round((self.ends_at - time.monotonic()) * 1000))


@pytest.fixture(scope="module")
def aws_server(account: None) -> Iterator[str]:  # noqa: ARG001 - the account that it serves
    """The account over HTTP."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def proxies(channel: Channel, aws_server: str) -> Iterator[dict[str, SlowProxy]]:
    """Proxies before all that the handler calls, none of them slow yet."""
    upstreams = dict.fromkeys(("sqs", "dynamodb", "secrets"), aws_server)
    upstreams |= {"openai": channel.openai.origin, "twilio": channel.twilio.origin}
    with ExitStack() as stack:
        yield {name: stack.enter_context(SlowProxy(server)) for name, server in upstreams.items()}


@contextmanager
def in_between(proxies: Mapping[str, SlowProxy]) -> Iterator[None]:
    """Let the handler call through the proxies, with its times scaled down."""
    index.batch_handler.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for name, proxy in proxies.items():
            path = "/v1" if name == "openai" else ""
            patch.setenv(SLOW_VARIABLES[name], proxy.base_url + path)
        scale_down(patch)
        index.batch_handler()
        yield
    index.batch_handler.cache_clear()


def scale_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything take a fraction of its time."""
    for name, seconds in SCALED.items():
        monkeypatch.setattr(timing, name, seconds)
    cut_off = 2 * timing.AWS_CALL_SECONDS + timing.MARGIN_SECONDS
    returns = cut_off + timing.OVERRUN_SECONDS
    monkeypatch.setattr(timing, "CUT_OFF_SECONDS", cut_off)
    monkeypatch.setattr(timing, "RETURN_SECONDS", returns)
    monkeypatch.setattr(timing, "BEGIN_SECONDS", timing.AWS_CALL_SECONDS + returns)
    client = Config(
        connect_timeout=READ_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 1}
    )
    monkeypatch.setattr(composition, "AWS_CLIENT", client)
    read = Settings.from_environment
    monkeypatch.setattr(
        Settings,
        "from_environment",
        lambda: replace(
            read(),
            twilio_timeout_seconds=cast("int", VENDOR_SECONDS),
            openai_timeout_seconds=cast("int", VENDOR_SECONDS),
        ),
    )


def invoke(channel: Channel, *bodies: str, seconds: float = PLENTY) -> tuple[list[str], float]:
    """Invoke the handler; return the bodies it reports, and the seconds left when it returned."""
    ending = Ending(seconds)
    failed = channel.deliver(
        *bodies,
        receive_count=2,
        handler=lambda event, _: index.lambda_handler(event, cast("Any", ending)),
    )
    return failed, ending.ends_at - time.monotonic()


TROUBLES = [
    ("openai", Pace.NEVER, 0),
    ("openai", Pace.HEADERS_TRICKLE, 0),
    ("openai", Pace.BODY_TRICKLES, 1),
    ("twilio", Pace.NEVER, 0),
    ("twilio", Pace.LOST, 0),
    ("twilio", Pace.HEADERS_TRICKLE, 0),
    ("twilio", Pace.BODY_TRICKLES, 0),
    ("secrets", Pace.NEVER, 0),
    ("secrets", Pace.BODY_TRICKLES, 1),
    ("sqs", Pace.NEVER, 0),
    ("sqs", Pace.HEADERS_TRICKLE, 0),
    ("dynamodb", Pace.NEVER, 0),
    ("dynamodb", Pace.LOST, 0),
    ("dynamodb", Pace.BODY_TRICKLES, 1),
    ("dynamodb", Pace.LOST, 1),
    ("dynamodb", Pace.NEVER, 2),
    ("dynamodb", Pace.HEADERS_TRICKLE, 2),
]
"""Who is slow, in which way, and after how many answers at once."""


@pytest.mark.parametrize(("name", "pace", "skip"), TROUBLES)
def test_whoever_is_slow_the_handler_returns_and_one_message_is_sent(
    channel: Channel, proxies: dict[str, SlowProxy], name: str, pace: Pace, skip: int
) -> None:
    """It gives up in time and holds nothing; once the slowness has passed, one message is sent."""
    proxies[name].slow_down(pace, skip)
    with in_between(proxies):
        failed, seconds_left = invoke(channel, context())

    assert seconds_left > 0
    assert failed or channel.phone()
    codes = {line["event"]: line.get("failure_code") for line in channel.read_log()}
    record = channel.record()
    if record and record["conversation_status"] == "processing":
        assert "ledger_unavailable" in codes.values()
    if name == "dynamodb" and channel.phone():
        assert "ledger_unavailable" == codes["final_db_update_failed"]
    if record:  # the time passes in which a send may be under way, and a lease lasts
        channel.set_fields(send_deadline=0, lease_expires_at=0)

    channel.deliver(context(), receive_count=3)

    is_open = channel.record()["conversation_status"] == "sending"
    assert (0 if is_open else 1) == len(channel.phone())


def test_a_batch_behind_a_vendor_that_hangs_ends_in_time(
    channel: Channel, proxies: dict[str, SlowProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten messages, two at a time: those for which no time is left are not begun, none is held."""
    monkeypatch.setenv("MAX_CONCURRENCY", "2")
    proxies["openai"].slow_down(Pace.NEVER)
    bodies = [context(conversation_id=f"c-{number}") for number in range(10)]
    with in_between(proxies):
        reserve = index.batch_handler().flow.timing.claim_reserve
        failed, seconds_left = invoke(channel, *bodies, seconds=reserve + 1.5)

    assert bodies == failed
    assert seconds_left > 0
    assert [] == channel.phone()
    records = [channel.record(f"c-{number}") for number in range(10)]
    assert {None, "retry"} >= {record and record["conversation_status"] for record in records}
    assert None in records
    assert "out_of_time" in channel.events()


@pytest.mark.parametrize("seconds", [0.0, 2.0, 4.0])
def test_with_hardly_any_time_nothing_is_begun(
    channel: Channel, proxies: dict[str, SlowProxy], seconds: float
) -> None:
    """However little is left, and although the queue itself hangs: reported, and nothing else."""
    for proxy in proxies.values():
        proxy.slow_down(Pace.NEVER)
    with in_between(proxies):
        failed, _ = invoke(channel, context(), seconds=seconds)

    assert [context()] == failed
    assert 0 == channel.vendor_calls()
    assert channel.record() is None
