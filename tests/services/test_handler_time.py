"""Vendors that hang or answer slowly, over real sockets: the handler returns in time, cleanly.

All times are scaled down. What a call may take by the time budget is several times what its socket
timeouts add up to, so that a busy machine does not matter.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from lambda_src import bootstrap, index
from lambda_src.core import time_budget
from lambda_src.core.settings import Settings
from tests.support.channel import Channel, context
from tests.support.servers import Pace, SlowProxy

AWS_CALL, MARGIN, OVERRUN = 0.8, 1.5, 1.5
HARD_STOP = 2 * AWS_CALL + MARGIN
SCALED = {
    "AWS_CALL_SECONDS": AWS_CALL,
    "MAX_SEND_DELAY_SECONDS": 0.5,
    "CLOCK_SKEW_SECONDS": 0.1,
    "MARGIN_SECONDS": MARGIN,
    "OVERRUN_SECONDS": OVERRUN,
    "AI_GRACE_SECONDS": 0.3,
    "MIN_AI_SECONDS": 0.1,
    "HARD_STOP_SECONDS": HARD_STOP,
    "SHUTDOWN_RESERVE_SECONDS": HARD_STOP + OVERRUN,
    "MIN_START_SECONDS": AWS_CALL + HARD_STOP + OVERRUN,
}
CALL_SECONDS = 0.5
"""Timeout of each request, to a vendor or to AWS."""
FUNCTION_SECONDS = 10.0
"""Of which only a part is needed."""
URL_VARIABLES = {
    "sqs": "AWS_ENDPOINT_URL_SQS",
    "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB",
    "secrets": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "openai": "OPENAI_BASE_URL",
    "twilio": "TWILIO_BASE_URL",
}


@pytest.fixture(scope="module")
def aws_url(account: None) -> Iterator[str]:  # noqa: ARG001 - the account that it serves
    """The account over HTTP."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def proxies(channel: Channel, aws_url: str) -> Iterator[dict[str, SlowProxy]]:
    """Proxies before all services, none of them slow yet."""
    upstreams = dict.fromkeys(("sqs", "dynamodb", "secrets"), aws_url)
    upstreams |= {"openai": channel.openai.origin, "twilio": channel.twilio.origin}
    with ExitStack() as stack:
        yield {name: stack.enter_context(SlowProxy(server)) for name, server in upstreams.items()}


@contextmanager
def scaled_handler(proxies: Mapping[str, SlowProxy]) -> Iterator[None]:
    """Let the handler call through the proxies, with its times scaled down."""
    seconds: Any = CALL_SECONDS  # not a whole number
    aws = Config(connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1})
    index.batch_handler.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for name, proxy in proxies.items():
            path = "/v1" if name == "openai" else ""
            patch.setenv(URL_VARIABLES[name], proxy.base_url + path)
        for name, scaled in SCALED.items():
            patch.setattr(time_budget, name, scaled)
        patch.setattr(bootstrap, "AWS_CLIENT", aws)
        scaled_settings = replace(
            Settings.from_environment(),
            send_timeout_seconds=seconds,
            openai_timeout_seconds=seconds,
        )
        patch.setattr(Settings, "from_environment", lambda **_: scaled_settings)
        index.batch_handler()
        yield
    index.batch_handler.cache_clear()


@pytest.mark.parametrize(
    ("name", "pace", "skip"),
    [
        ("openai", Pace.BODY_TRICKLES, 1), ("twilio", Pace.BODY_TRICKLES, 0),
        ("secrets", Pace.BODY_TRICKLES, 1), ("sqs", Pace.HEADERS_TRICKLE, 0),
        ("dynamodb", Pace.BODY_TRICKLES, 1), ("dynamodb", Pace.NEVER, 2),
    ],
)  # fmt: skip
def test_a_slow_service_delays_one_message_only(
    channel: Channel, proxies: dict[str, SlowProxy], name: str, pace: Pace, skip: int
) -> None:
    """The handler gives up in time; once the service is fast again, one message is sent."""
    proxies[name].slow_down(pace, skip)
    with scaled_handler(proxies):
        started = time.monotonic()
        failed = channel.deliver(context(), receive_count=2, seconds_left=FUNCTION_SECONDS)
        seconds = time.monotonic() - started

    assert seconds < FUNCTION_SECONDS
    assert failed or channel.phone()
    codes = {line["event"]: line.get("failure_code") for line in channel.read_log()}
    record = channel.record()
    if record and record["conversation_status"] == "processing":
        assert "ledger_unavailable" in codes.values()
    if name == "dynamodb" and channel.phone():
        assert "ledger_unavailable" == codes["final_db_update_failed"]
    if record:  # the lease expires, and the time in which a send may be in progress passes
        channel.set_fields(send_deadline=0, lease_expires_at=0)

    channel.deliver(context(), receive_count=3)

    is_unresolved = channel.record()["conversation_status"] == "sending"
    assert (0 if is_unresolved else 1) == len(channel.phone())
