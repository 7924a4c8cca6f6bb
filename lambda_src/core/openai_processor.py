"""The AI: one cached client per API key, one request per answer, errors classified."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

import httpx2
import openai

from lambda_src.core.ai.errors import classify_status
from lambda_src.core.ai.responses import (
    delete_conversation,
    delete_response,
    generate_with_responses,
    moderate,
    shutdown_date,
)
from lambda_src.core.ai.threads import delete_thread, generate_with_threads
from lambda_src.core.contract import Step
from lambda_src.core.deadlines import call_ai
from lambda_src.core.errors import ConfigurationRefused, ProcessingError, TransientFailure
from lambda_src.core.models import RESPONSE_PREFIX, Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from lambda_src.core.models import Answer, GenerationRequest

T = TypeVar("T")

MAX_CLIENTS = 16
"""Clients kept for reuse; each has the connections of one API key."""
UNREADABLE = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""Raised for an answer that is not in its documented form: the SDK returns an empty body, a
gateway's HTML page or a null instead of a list unchanged."""


class OpenAIProcessor:
    """Implements the port `TextGenerator` with OpenAI's SDK.

    Args:
        base_url: Address of OpenAI's interface; if empty, the SDK's own.
        assistants_base_url: Address of an Assistants-compatible server; if empty, that engine is
            refused. Both come from the function's configuration and never from a message.
    """

    def __init__(self, base_url: str = "", assistants_base_url: str = "") -> None:
        self._base_urls = {Engine.RESPONSES: base_url, Engine.ASSISTANTS: assistants_base_url}
        self._clients: OrderedDict[tuple[Engine, str], openai.OpenAI] = OrderedDict()
        self._lock = Lock()

    def generate(self, api_key: str, request: GenerationRequest) -> Answer:
        """Write one message with one request to the AI.

        Raises:
            ProcessingError: OpenAI refused, failed, or did not answer within the timeout; has the
                ids of what it may store nevertheless.
        """
        generate = (
            generate_with_threads
            if request.engine is Engine.ASSISTANTS
            else generate_with_responses
        )
        client = self._client(request.engine, api_key)
        created: list[str] = []
        try:
            return _call(request.timeout, lambda: generate(client, request, created))
        except ProcessingError as error:
            error.openai_ids = tuple(created)
            raise

    def moderate(self, api_key: str, texts: Sequence[str], timeout: float) -> tuple[str, ...]:
        """Return the categories for which OpenAI's moderation flags any of the texts.

        Args:
            api_key: The tenant's key.
            texts: The texts of one message.
            timeout: Seconds for the answer.

        Raises:
            ProcessingError: OpenAI refused, failed, or did not answer in time.
        """
        client = self._client(Engine.RESPONSES, api_key)
        return _call(timeout, lambda: moderate(client, texts, timeout))

    def shutdown_date(self, api_key: str, model: str, timeout: float) -> date | None:
        """Return when a model is shut down; None if no date is announced.

        Raises:
            ProcessingError: OpenAI has no such model, refused, or did not answer in time.
        """
        client = self._client(Engine.RESPONSES, api_key)
        return _call(timeout, lambda: shutdown_date(client, model, timeout))

    def discard(self, api_key: str, engine: Engine, openai_id: str, timeout: float) -> bool:
        """Delete a conversation, response or thread; return False if it may still exist.

        Never raises.
        """
        try:
            client = self._client(engine, api_key)
            if openai_id.startswith(RESPONSE_PREFIX):
                _call(timeout, lambda: delete_response(client, openai_id, timeout))
            elif engine is Engine.ASSISTANTS:
                _call(timeout, lambda: delete_thread(client, openai_id, timeout))
            else:
                _call(timeout, lambda: delete_conversation(client, openai_id, timeout))
        except ProcessingError:
            return False
        return True

    def _client(self, engine: Engine, api_key: str) -> openai.OpenAI:
        with self._lock:
            client = self._clients.pop((engine, api_key), None) or self._new(engine, api_key)
            self._clients[engine, api_key] = client
            if len(self._clients) > MAX_CLIENTS:
                self._clients.popitem(last=False)
            return client

    def _new(self, engine: Engine, api_key: str) -> openai.OpenAI:
        base_url = self._base_urls[engine]
        if engine is Engine.ASSISTANTS and not base_url:
            raise ConfigurationRefused("assistants_engine_not_configured", Step.AI)
        return openai.OpenAI(
            api_key=api_key,
            base_url=base_url or None,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(event_hooks={"response": [_bound_body]}),
        )


def _call(timeout: float, request: Callable[[], T]) -> T:
    try:
        return call_ai(timeout, request)
    except TimeoutError as error:
        raise TransientFailure("openai_timeout", Step.AI, "no answer in time") from error
    except openai.APIError as error:
        raise _map_error(error) from error
    except UNREADABLE as error:
        kind = type(error).__name__
        raise TransientFailure("openai_answer_unreadable", Step.AI, kind) from error


def _map_error(error: openai.APIError) -> ProcessingError:
    if not isinstance(error, openai.APIStatusError):
        return TransientFailure("openai_unreachable", Step.AI, type(error).__name__)
    header = error.response.headers.get("retry-after", "")
    return classify_status(
        error.status_code,
        error.code,
        float(header) if re.fullmatch(r"\d{1,6}(\.\d+)?", header) else None,
        param=error.param,
        is_read=error.request.method == "GET",
    )


def _bound_body(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _BoundedStream(response.stream, response.request)


class _BoundedStream(httpx2.SyncByteStream):
    """Ends a body that arrives byte by byte once the request's read timeout has passed.

    `call_ai` abandons such a call, but without this its thread would stay occupied for
    as long as the server sends.
    """

    def __init__(self, stream: httpx2.SyncByteStream, request: httpx2.Request) -> None:
        self._stream = stream
        self._request = request
        self._ends_at = time.monotonic() + request.extensions["timeout"]["read"]

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            if time.monotonic() > self._ends_at:
                raise httpx2.ReadTimeout("the answer did not end in time", request=self._request)
            yield part

    def close(self) -> None:
        self._stream.close()
