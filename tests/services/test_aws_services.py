"""Secrets Manager and SQS: secrets are cached and requested once; visibility is per message."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto.sqs.models import sqs_backends

from lambda_src.core.errors import PermanentFailure, TransientFailure
from lambda_src.services.secrets_manager_service import (
    MAX_AGE_SECONDS,
    ChannelSecrets,
    TwilioCredentials,
    twilio_credentials,
)
from lambda_src.services.sqs_service import ChannelQueue, ContextQueue, HandOffQueue
from local.fakes.aws import ACCOUNT as AWS_ACCOUNT
from local.fakes.aws import QUEUE, REGION
from local.fakes.clock import VirtualClock
from tests.support.channel import (
    ACCOUNT,
    API_KEY,
    OPENAI_SECRET,
    PREFIXES,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
)


def _fail_calls(client: Any, error: Exception, delay: float = 0) -> None:

    def fail(**_: object) -> None:
        time.sleep(delay)
        raise error

    client.meta.events.register_last("before-call", fail)


# --- secrets


@pytest.fixture
def secrets_client(secrets: None) -> Any:  # noqa: ARG001 - the secrets that it reads
    """A Secrets Manager client of the test's own."""
    return boto3.Session().client("secretsmanager")


@pytest.fixture
def channel_secrets(secrets_client: Any, clock: VirtualClock) -> ChannelSecrets:
    """The adapter with an empty cache."""
    return ChannelSecrets(secrets_client, PREFIXES, twilio_credentials, clock)


@pytest.fixture
def requests(secrets_client: Any) -> list[object]:
    """The requests for a value."""
    made: list[object] = []
    secrets_client.meta.events.register(
        "before-call.secrets-manager.GetSecretValue", lambda **_: made.append(None)
    )
    return made


def test_both_kinds_of_secret_are_read(
    channel_secrets: ChannelSecrets, secrets_client: Any
) -> None:
    """By name or ARN, as a key and as credentials with a template."""
    arn = secrets_client.describe_secret(SecretId=OPENAI_SECRET)["ARN"]
    assert API_KEY == channel_secrets.openai_key(OPENAI_SECRET) == channel_secrets.openai_key(arn)
    expected = TwilioCredentials(ACCOUNT, TOKEN, TEMPLATE)
    assert expected == channel_secrets.credentials(TWILIO_SECRET)


def test_a_cached_secret_is_not_requested(
    channel_secrets: ChannelSecrets, requests: list[object], clock: VirtualClock
) -> None:
    """One request serves a whole batch, until the value is too old."""
    with ThreadPoolExecutor(10) as pool:
        keys = set(pool.map(lambda _: channel_secrets.openai_key(OPENAI_SECRET), range(10)))
    assert ({API_KEY}, 1) == (keys, len(requests))
    for seconds, expected in ((MAX_AGE_SECONDS - 1, 1), (1, 2)):
        clock.advance(seconds)
        channel_secrets.openai_key(OPENAI_SECRET)
        assert expected == len(requests)


def test_a_fresh_read_bypasses_the_cache(
    channel_secrets: ChannelSecrets, secrets_client: Any
) -> None:
    """Its value is cached instead."""
    channel_secrets.openai_key(OPENAI_SECRET)
    rotated = '{"ai_api_key": "rotated"}'
    secrets_client.put_secret_value(SecretId=OPENAI_SECRET, SecretString=rotated)
    assert API_KEY == channel_secrets.openai_key(OPENAI_SECRET)
    assert "rotated" == channel_secrets.openai_key(OPENAI_SECRET, fresh=True)
    assert "rotated" == channel_secrets.openai_key(OPENAI_SECRET)


def test_another_channels_secret_is_not_requested(
    channel_secrets: ChannelSecrets, requests: list[object]
) -> None:
    """A reference outside the prefixes is refused before."""
    with pytest.raises(PermanentFailure, match="secret_reference_refused"):
        channel_secrets.openai_key("ai-multi-comms/dev/openai-api-key/sms")
    assert [] == requests


def test_concurrent_reads_share_a_hanging_request(
    channel_secrets: ChannelSecrets, secrets_client: Any, requests: list[object]
) -> None:
    """A batch waits for it once, and each message gets its error."""
    barrier = Barrier(10)

    def read(_: int) -> str:
        barrier.wait(60)
        with pytest.raises(TransientFailure) as raised:
            channel_secrets.openai_key(OPENAI_SECRET)
        return str(raised.value)

    _fail_calls(secrets_client, ReadTimeoutError(endpoint_url="https://secrets.example"), delay=0.5)
    with ThreadPoolExecutor(10) as pool:
        errors = set(pool.map(read, range(10)))
    assert {"secrets_unavailable at secrets: ReadTimeoutError"} == errors
    assert 1 == len(requests)


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_an_error_of_the_service_is_transient(
    channel_secrets: ChannelSecrets, secrets_client: Any, code: str
) -> None:
    """It is named by its code."""
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, "GetSecretValue")
    _fail_calls(secrets_client, error)
    with pytest.raises(TransientFailure, match=code):
        channel_secrets.openai_key(OPENAI_SECRET)


# --- the queue

VISIBILITY = 90


@pytest.fixture
def queue(queue_url: str) -> ChannelQueue:
    """The adapter, with a client of its own."""
    return ChannelQueue(boto3.Session().client("sqs"), queue_url, VISIBILITY)


def receive(queue: ChannelQueue, count: int) -> dict[str, str]:
    """Return received messages as message id → receipt handle."""
    client, url = queue._client, queue._queue_url
    for number in range(count):
        client.send_message(QueueUrl=url, MessageBody=str(number))
    messages: dict[str, str] = {}
    while len(messages) < count:
        answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        messages |= {m["MessageId"]: m["ReceiptHandle"] for m in answer["Messages"]}
    return messages


def _invisible_for(message_id: str) -> int:
    messages = sqs_backends[AWS_ACCOUNT][REGION].queues[QUEUE]._messages
    (message,) = [m for m in messages if m.id == message_id]
    return round(message.visible_at / 1000 - time.time())


def test_every_message_of_a_batch_is_extended(queue: ChannelQueue) -> None:
    """Also more than SQS's ten; a refused receipt handle is named."""
    messages = receive(queue, 12)
    assert frozenset() == queue.extend(messages)
    assert {VISIBILITY} == {_invisible_for(message) for message in messages}
    assert frozenset({"gone"}) == queue.extend({**messages, "gone": "no-such-handle"})


def test_each_message_gets_its_own_delay(queue: ChannelQueue) -> None:
    """A failed message is visible again after it."""
    (first, handle), (second, other) = receive(queue, 2).items()
    queue.change_visibility({handle: 0, other: 600})
    assert [0, 600] == [_invisible_for(first), _invisible_for(second)]


def test_a_queue_that_does_not_answer_fails_no_batch(
    queue: ChannelQueue, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the messages come back when their visibility timeout ends."""
    error = ClientError({"Error": {"Code": "Throttled", "Message": "no"}}, "ChangeVisibility")
    _fail_calls(queue._client, error)
    queue.change_visibility({"a-handle": 10})
    expected = "failed messages are delivered again when their visibility timeout ends"
    assert expected in caplog.messages


def test_the_receive_limit_is_the_redrive_policys(queue: ChannelQueue) -> None:
    """A queue that does not answer is a transient failure."""
    assert 10 == queue.max_receive_count()
    missing = f"https://sqs.{REGION}.amazonaws.com/{AWS_ACCOUNT}/none"
    with pytest.raises(TransientFailure, match="queue_unavailable"):
        ChannelQueue(queue._client, missing, VISIBILITY).max_receive_count()


@pytest.mark.parametrize("character", ["\uffff", "\ufffe"])
def test_a_context_object_has_only_characters_of_sqs(queue: ChannelQueue, character: str) -> None:
    """SQS refuses or replaces two that JSON text may contain; the value is the same."""
    value = {"text": f"\\{character}b"}
    body = json.dumps(value, ensure_ascii=False)
    client, url = queue._client, queue._queue_url
    HandOffQueue(client, url).put(body)
    ContextQueue(client, url).send(body, "company", 1)
    received = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    for text in (message["Body"] for message in received):
        assert (False, value) == (character in text, json.loads(text))
    assert 2 == len(received)
