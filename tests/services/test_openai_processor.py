"""The AI through OpenAI's real SDK: one request per answer, ids and facts only, bounded in time."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from lambda_src.core.errors import (
    ProcessingError,
    RateLimited,
    TransientFailure,
)
from lambda_src.core.models import AssistantDefinition, Engine, GenerationRequest, VariableRule
from lambda_src.core.openai_processor import MAX_CLIENTS, OpenAIProcessor
from local.fakes.faults import Fault, Match
from local.fakes.openai import FakeOpenAI
from tests.support.channel import API_KEY, MODEL
from tests.support.servers import RawServer, http_answer, json_answer

DEFINITION = AssistantDefinition(
    model=MODEL,
    instructions="Write briefly.",
    variables={
        "name": VariableRule("How to address the recipient.", 40),
        "text": VariableRule("What to say.", None),
    },
    max_output_tokens=500,
)
each_engine = pytest.mark.parametrize("engine", list(Engine))
REQUEST = GenerationRequest(
    engine=Engine.RESPONSES,
    assistant_id="first_contact",
    definition=DEFINITION,
    prompt_context={"company_name": "Harbour Logistics"},
    metadata={"conversation_id": "c-1", "request_id": "r-1"},
    timeout=10.0,
)


@pytest.fixture
def processor(openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> OpenAIProcessor:
    """The adapter; both engines answer on loopback, without TLS."""
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
    monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
    return OpenAIProcessor(assistants_base_url=openai.base_url)


def test_a_response_has_its_own_conversation(
    processor: OpenAIProcessor, openai: FakeOpenAI
) -> None:
    """Its id is the thread id; its metadata contains ids only."""
    answer = processor.generate(API_KEY, REQUEST)
    created, response = openai.requests
    assert answer.thread_id == response.body["conversation"]
    assert {"conversation_id": "c-1", "request_id": "r-1"} == created.body["metadata"]
    assert {"company_name": "Harbour Logistics"} == json.loads(response.body["input"])
    assert 500 == response.body["max_output_tokens"]


@pytest.mark.parametrize(
    "fault",
    [Fault.error(500), Fault.empty(), Fault.not_json(200), Fault.not_json(502), Fault.reset()],
    ids=["500", "empty", "HTML page", "bad gateway", "reset"],
)
@each_engine
def test_a_failed_request_is_not_repeated(
    processor: OpenAIProcessor, openai: FakeOpenAI, engine: Engine, fault: Fault
) -> None:
    """The SDK's retries are off: each request is made and billed once."""
    openai.fail_next(fault)
    with pytest.raises(TransientFailure):
        processor.generate(API_KEY, replace(REQUEST, engine=engine))
    assert 1 == len([call for call in openai.requests if call.fault])


def test_rate_limits_are_passed_on(processor: OpenAIProcessor, openai: FakeOpenAI) -> None:
    """With their Retry-After; also those of a failed response or run."""
    openai.fail_next(Fault.error(429, "rate_limit_exceeded", retry_after=37))
    with pytest.raises(RateLimited) as raised:
        processor.generate(API_KEY, REQUEST)
    assert 37 == raised.value.retry_after
    for engine in Engine:
        openai.fail_next(Fault.failed("rate_limit_exceeded"))
        with pytest.raises(RateLimited):
            processor.generate(API_KEY, replace(REQUEST, engine=engine))


@each_engine
def test_free_text_is_requested_without_a_schema(
    processor: OpenAIProcessor, engine: Engine
) -> None:
    """The answer has a text and no variables."""
    definition = replace(DEFINITION, variables={})
    answer = processor.generate(API_KEY, replace(REQUEST, engine=engine, definition=definition))
    assert (True, {}) == (bool(answer.text), answer.variables)


CANCEL = Match(paths=("*/cancel",))
POLL = Match(method="GET", paths=("*/runs/*",))


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ([], "openai_run_timeout"),
        ([(Fault.error(400, "invalid_request_error"), CANCEL)], "openai_run_timeout"),
        ([(Fault.error(500), POLL)], "openai_500"),
    ],
    ids=["timeout", "cancelling fails", "poll fails"],
)
def test_an_abandoned_run_is_cancelled(
    processor: OpenAIProcessor, openai: FakeOpenAI, faults: list[tuple[Fault, Match]], error: str
) -> None:
    """It would be billed; a failed cancellation does not matter."""
    openai.fail_next(Fault.thinking(30))
    for fault, match in faults:
        openai.fail_next(fault, match=match)
    with pytest.raises(TransientFailure, match=error):
        processor.generate(API_KEY, replace(REQUEST, engine=Engine.ASSISTANTS, timeout=1.0))
    assert openai.requests[-1].path.endswith("/cancel")


@pytest.mark.parametrize("path", ["*/runs/*", "*/messages"])
def test_a_refused_read_is_transient(
    processor: OpenAIProcessor, openai: FakeOpenAI, path: str
) -> None:
    """It contains nothing of the message, so it does not refuse it."""
    refusal = Fault.error(400, "context_length_exceeded")
    openai.fail_next(Fault.thinking(0.1))
    openai.fail_next(refusal, match=Match(method="GET", paths=(path,)))
    with pytest.raises(TransientFailure, match="reading the answer is refused"):
        processor.generate(API_KEY, replace(REQUEST, engine=Engine.ASSISTANTS))


def test_a_runs_requests_end_with_its_time(processor: OpenAIProcessor, openai: FakeOpenAI) -> None:
    """A slow poll and a slow cancellation have the time left, and a second at least."""
    openai.fail_next(Fault.thinking(30))
    openai.fail_next(Fault.slow(30), match=POLL)
    openai.fail_next(Fault.slow(30), match=CANCEL)
    started = time.monotonic()
    with pytest.raises(TransientFailure):
        processor.generate(API_KEY, replace(REQUEST, engine=Engine.ASSISTANTS, timeout=1.0))
    assert time.monotonic() - started < 20


def test_a_slow_response_is_transient(processor: OpenAIProcessor, openai: FakeOpenAI) -> None:
    """It is abandoned at its timeout."""
    openai.fail_next(Fault.thinking(30))
    with pytest.raises(TransientFailure, match="APITimeoutError"):
        processor.generate(API_KEY, replace(REQUEST, timeout=0.2))


def test_clients_are_reused(processor: OpenAIProcessor) -> None:
    """One per key, the last used of many."""
    first = processor._client(Engine.RESPONSES, API_KEY)
    assert first is processor._client(Engine.RESPONSES, API_KEY)
    for number in range(MAX_CLIENTS):
        processor._client(Engine.RESPONSES, f"key-{number}")
    assert MAX_CLIENTS == len(processor._clients)
    assert first is not processor._client(Engine.RESPONSES, API_KEY)


CALL = "Call +15550100999"


def _ended(status: str, **fields: object) -> bytes:
    return json_answer({"id": "r", "status": status} | fields)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json_answer({"error": {"code": CALL}}, 400), "openai_400 at ai: "),
        (http_answer(200, b"[" * 100_000), "openai_answer_unreadable at ai"),
        (_ended("completed", output=None), "openai_answer_unread"),
        (_ended("failed", error={"code": CALL}), "openai_failed at ai"),
        (
            _ended("incomplete", incomplete_details={"reason": CALL}),
            "ai_answer_cut_off at ai: the answer was cut off by the service",
        ),
        (_ended("cancelled"), "openai_failed at ai"),
    ],
)
def test_unusual_answers_are_classified_without_their_text(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, expected: str
) -> None:
    """Whatever is in the place of a code or a list."""
    with RawServer(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        with pytest.raises(ProcessingError) as raised:
            OpenAIProcessor().generate(API_KEY, REQUEST)
    assert str(raised.value).startswith(expected)


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", *([b" "] * 300)],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *([b"1\r\n \r\n"] * 300)],
    ],
    ids=["length", "chunks"],
)
def test_an_answer_that_arrives_byte_by_byte_ends_at_the_timeout(
    monkeypatch: pytest.MonkeyPatch, parts: Sequence[bytes]
) -> None:
    """White space that a server sends while it works does not extend it."""
    with RawServer(*parts, pause=0.05) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        started = time.monotonic()
        with pytest.raises(TransientFailure, match="APITimeoutError"):
            OpenAIProcessor().generate(API_KEY, replace(REQUEST, timeout=0.3))
    assert time.monotonic() - started < 10
