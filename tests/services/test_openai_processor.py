"""The AI through OpenAI's real SDK: one try, ids and facts only, and clients kept."""

import json
import time
from collections.abc import Sequence

import pytest

from lambda_src.core.context import AssistantDefinition, Engine, VariableRule
from lambda_src.core.errors import PermanentFailure, ProcessingError, RateLimited, TransientFailure
from lambda_src.core.message import Assignment
from lambda_src.core.openai_errors import ConfigurationRefused
from lambda_src.core.openai_processor import KEPT_CLIENTS, OpenAIProcessor
from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from local.stand_ins.openai import OpenAISettings, OpenAIStandIn
from tests.services.channel import API_KEY, MODEL
from tests.services.raw_server import RawServer, http_answer, json_answer

DEFINITION = AssistantDefinition(
    model=MODEL,
    instructions="Write briefly.",
    variables={
        "name": VariableRule("How to address the recipient.", 40),
        "text": VariableRule("What to say.", None),
    },
    max_output_tokens=500,
)


def assignment(**changes: object) -> Assignment:
    """A template message to be written."""
    values: dict[str, object] = {
        "engine": Engine.RESPONSES,
        "assistant_id": "first_contact",
        "definition": DEFINITION,
        "briefing": {"company_name": "Harbour Logistics"},
        "metadata": {"conversation_id": "c-1", "request_id": "r-1"},
        "timeout": 10.0,
    }
    return Assignment(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def processor(openai: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch) -> OpenAIProcessor:
    """The adapter; both engines answer on loopback."""
    monkeypatch.setenv("OPENAI_BASE_URL", openai.base_url)
    return OpenAIProcessor(openai.base_url)


@pytest.mark.parametrize("engine", list(Engine))
def test_fills_every_variable(processor: OpenAIProcessor, engine: Engine) -> None:
    """The strict schema makes the answer name just the definition's variables."""
    answer = processor.write(API_KEY, assignment(engine=engine))

    assert {"name", "text"} == set(answer.variables)
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("engine", list(Engine))
def test_writes_free_text_without_variables(processor: OpenAIProcessor, engine: Engine) -> None:
    """A definition without variables gives text."""
    definition = AssistantDefinition(MODEL, "Write briefly.", {}, None)

    answer = processor.write(API_KEY, assignment(engine=engine, definition=definition))

    assert answer.text
    assert {} == answer.variables


def test_response_stands_in_a_conversation_of_its_own(
    processor: OpenAIProcessor, openai: OpenAIStandIn
) -> None:
    """The thread id is the conversation's; its metadata holds ids and nothing else."""
    answer = processor.write(API_KEY, assignment())

    created, response = openai.requests
    assert answer.thread_id == response.body["conversation"]
    assert {"conversation_id": "c-1", "request_id": "r-1"} == created.body["metadata"]
    assert {"company_name": "Harbour Logistics"} == json.loads(response.body["input"])
    assert 500 == response.body["max_output_tokens"]


@pytest.mark.parametrize(
    "fault",
    [Fault.error(500), Fault.empty(), Fault.not_json(200), Fault.not_json(502), Fault.reset()],
    ids=["500", "empty", "page of HTML", "bad gateway", "reset"],
)
@pytest.mark.parametrize("engine", list(Engine))
def test_failed_request_is_not_repeated(
    processor: OpenAIProcessor, openai: OpenAIStandIn, engine: Engine, fault: Fault
) -> None:
    """The SDK's own retries are off: each request is made and billed once."""
    openai.fail_next(fault)

    with pytest.raises(TransientFailure):
        processor.write(API_KEY, assignment(engine=engine))

    assert 1 == len([call for call in openai.requests if call.fault])


def test_asked_for_patience_is_passed_on(processor: OpenAIProcessor, openai: OpenAIStandIn) -> None:
    """The Retry-After of a rate limit tells when to try again."""
    openai.fail_next(Fault.error(429, "rate_limit_exceeded", retry_after=37))

    with pytest.raises(RateLimited) as raised:
        processor.write(API_KEY, assignment())

    assert 37 == raised.value.retry_after


def test_run_that_takes_too_long_is_cancelled(
    processor: OpenAIProcessor, openai: OpenAIStandIn
) -> None:
    """A run beyond its time is cancelled, so that nobody pays for what nobody reads."""
    openai.fail_next(Fault.thinking(30))

    with pytest.raises(TransientFailure, match="openai_run_timeout"):
        processor.write(API_KEY, assignment(engine=Engine.ASSISTANTS, timeout=1.0))

    assert openai.requests[-1].path.endswith("/cancel")


def test_cancelling_that_fails_says_nothing_of_the_run(
    processor: OpenAIProcessor, openai: OpenAIStandIn
) -> None:
    """A run that ended just then cannot be cancelled; its message is tried again all the same."""
    openai.fail_next(Fault.thinking(30))
    openai.fail_next(Fault.error(400, "invalid_request_error"), match=Match(paths=("*/cancel",)))

    with pytest.raises(TransientFailure, match="openai_run_timeout"):
        processor.write(API_KEY, assignment(engine=Engine.ASSISTANTS, timeout=1.0))


def test_run_whose_state_cannot_be_told_is_cancelled(
    processor: OpenAIProcessor, openai: OpenAIStandIn
) -> None:
    """A look that fails ends the wait, and with it the run."""
    openai.fail_next(Fault.thinking(30))
    openai.fail_next(Fault.error(500), match=Match(method="GET", paths=("*/runs/*",)))

    with pytest.raises(TransientFailure, match="openai_500"):
        processor.write(API_KEY, assignment(engine=Engine.ASSISTANTS))

    assert openai.requests[-1].path.endswith("/cancel")


@pytest.mark.parametrize("looked_at", ["*/runs/*", "*/messages"])
def test_refused_look_at_a_run_does_not_end_the_message(
    processor: OpenAIProcessor, openai: OpenAIStandIn, looked_at: str
) -> None:
    """It holds nothing of the message: what refuses it now may answer another time."""
    refusal = Fault.error(400, "context_length_exceeded")
    openai.fail_next(Fault.thinking(0.1))
    openai.fail_next(refusal, match=Match(method="GET", paths=(looked_at,)))

    with pytest.raises(TransientFailure, match="a look at the answer is refused"):
        processor.write(API_KEY, assignment(engine=Engine.ASSISTANTS))


def test_requests_of_a_run_end_with_its_time(
    processor: OpenAIProcessor, openai: OpenAIStandIn
) -> None:
    """A slow look and a slow cancelling have what is left, and a second at least."""
    openai.fail_next(Fault.thinking(30))
    openai.fail_next(Fault.slow(30), match=Match(method="GET", paths=("*/runs/*",)))
    openai.fail_next(Fault.slow(30), match=Match(paths=("*/cancel",)))
    begun = time.monotonic()

    with pytest.raises(TransientFailure):
        processor.write(API_KEY, assignment(engine=Engine.ASSISTANTS, timeout=1.0))

    assert time.monotonic() - begun < 20


def test_response_that_takes_too_long_is_transient(
    processor: OpenAIProcessor, openai: OpenAIStandIn
) -> None:
    """A response beyond its time is given up."""
    openai.fail_next(Fault.thinking(30))

    with pytest.raises(TransientFailure, match="APITimeoutError"):
        processor.write(API_KEY, assignment(timeout=0.2))


def test_assistants_engine_needs_a_configured_server() -> None:
    """Without a base URL of our own configuration the engine is refused."""
    with pytest.raises(PermanentFailure, match="assistants_engine_not_configured"):
        OpenAIProcessor().write(API_KEY, assignment(engine=Engine.ASSISTANTS))


def test_client_of_a_key_is_kept(processor: OpenAIProcessor) -> None:
    """The same key uses the same client; of many keys the last used are kept."""
    first = processor._client(Engine.RESPONSES, API_KEY)
    assert first is processor._client(Engine.RESPONSES, API_KEY)

    for number in range(KEPT_CLIENTS):
        processor._client(Engine.RESPONSES, f"key-{number}")

    assert KEPT_CLIENTS == len(processor._clients)
    assert first is not processor._client(Engine.RESPONSES, API_KEY)


def test_refused_answer_of_a_run_costs_no_second_run(
    processor: OpenAIProcessor, openai: OpenAIStandIn
) -> None:
    """A run that ends as failed for a rate limit is told apart from one that fails for good."""
    openai.settings = OpenAISettings()
    openai.fail_next(Fault.failed("rate_limit_exceeded"))

    with pytest.raises(RateLimited):
        processor.write(API_KEY, assignment(engine=Engine.ASSISTANTS))


@pytest.mark.parametrize("engine", list(Engine))
def test_retired_model_calls_a_person_and_loses_nothing(
    processor: OpenAIProcessor, engine: Engine
) -> None:
    """A model that is no longer served is tried again late, until somebody names another."""
    retired = AssistantDefinition("retired", "Write briefly.", {}, None)

    with pytest.raises(ConfigurationRefused, match="openai_model_not_found") as raised:
        processor.write(API_KEY, assignment(engine=engine, definition=retired))

    assert raised.value.alarm


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json_answer({"error": {"code": "Call +15550100999"}}, 400), "openai_400 at ai: "),
        (json_answer({"id": "r", "status": "completed", "output": None}), "openai_answer_unread"),
        (http_answer(200, b"[" * 100_000), "openai_answer_unreadable at ai"),
        (
            json_answer({"id": "r", "status": "failed", "error": {"code": "Call +15550100999"}}),
            "openai_failed at ai",
        ),
        (
            json_answer(
                {
                    "id": "r",
                    "status": "incomplete",
                    "incomplete_details": {"reason": "Call +15550100999"},
                }
            ),
            "ai_answer_cut_off at ai: by the service",
        ),
        (json_answer({"id": "r", "status": "cancelled"}), "openai_failed at ai"),
    ],
)
def test_odd_answers_are_judged_without_their_text(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, expected: str
) -> None:
    """Whatever stands where a code or a list should: an error of ours, without a word of it."""
    with RawServer(answer) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)

        with pytest.raises(ProcessingError) as raised:
            OpenAIProcessor().write(API_KEY, assignment())

    assert str(raised.value).startswith(expected)


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n", *([b" "] * 300)],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *([b"1\r\n \r\n"] * 300)],
    ],
    ids=["length", "chunks"],
)
def test_answer_that_trickles_in_ends_in_time(
    monkeypatch: pytest.MonkeyPatch, parts: Sequence[bytes]
) -> None:
    """Blanks that a server sends while it thinks do not prolong the time for the answer."""
    with RawServer(*parts, pause=0.1) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        begun = time.monotonic()

        with pytest.raises(TransientFailure, match="APITimeoutError"):
            OpenAIProcessor().write(API_KEY, assignment(timeout=0.5))

    assert time.monotonic() - begun < 20
