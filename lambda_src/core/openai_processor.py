"""The AI: clients made lazily and reused, one try each, errors named by what must happen next."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

import openai

from lambda_src.core import timing
from lambda_src.core.context import Engine
from lambda_src.core.errors import PermanentFailure, ProcessingError, Step, TransientFailure
from lambda_src.core.in_time import within
from lambda_src.core.openai_errors import meaning_of_status
from lambda_src.core.openai_http import BOUNDED
from lambda_src.core.openai_responses import write_with_responses
from lambda_src.core.openai_threads import write_with_threads

if TYPE_CHECKING:
    from lambda_src.core.message import Answer, Assignment

KEPT_CLIENTS = 16
"""Clients kept for reuse; each holds connections for one API key."""
UNREADABLE = (ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""What reading an answer raises that is not in its documented form: the SDK lets an empty answer,
a gateway's page of HTML or a null in place of a list through as it is."""


class OpenAIProcessor:
    """Implements the port `Writer` with OpenAI's SDK.

    Args:
        assistants_base_url: Where an Assistants-compatible server answers, from the function's
            configuration and never from a message; empty refuses that engine. The Responses
            engine's own address is the SDK's (`OPENAI_BASE_URL` for local servers).
    """

    def __init__(self, assistants_base_url: str = "") -> None:
        self._assistants_base_url = assistants_base_url
        self._clients: OrderedDict[tuple[Engine, str], openai.OpenAI] = OrderedDict()
        self._lock = Lock()

    def write(self, api_key: str, assignment: Assignment) -> Answer:
        """Write one message; asks once."""
        write = (
            write_with_threads if assignment.engine is Engine.ASSISTANTS else write_with_responses
        )
        try:
            client = self._client(assignment.engine, api_key)
            # The client's own timeouts leave gaps: several addresses, headers that trickle in.
            return within(
                assignment.timeout + timing.AI_GRACE_SECONDS, lambda: write(client, assignment)
            )
        except TimeoutError as error:
            raise TransientFailure("openai_timeout", Step.AI, "no answer in time") from error
        except openai.APIError as error:
            raise _translated(error) from error
        except UNREADABLE as error:
            kind = type(error).__name__
            raise TransientFailure("openai_answer_unreadable", Step.AI, kind) from error

    def _client(self, engine: Engine, api_key: str) -> openai.OpenAI:
        with self._lock:
            client = self._clients.pop((engine, api_key), None) or self._new(engine, api_key)
            self._clients[engine, api_key] = client
            if len(self._clients) > KEPT_CLIENTS:
                self._clients.popitem(last=False)
            return client

    def _new(self, engine: Engine, api_key: str) -> openai.OpenAI:
        if engine is Engine.ASSISTANTS and not self._assistants_base_url:
            raise PermanentFailure("assistants_engine_not_configured", Step.AI)
        return openai.OpenAI(
            api_key=api_key,
            base_url=self._assistants_base_url if engine is Engine.ASSISTANTS else None,
            max_retries=0,
            http_client=openai.DefaultHttpxClient(event_hooks=BOUNDED),
        )


def _translated(error: openai.APIError) -> ProcessingError:
    if isinstance(error, openai.APIStatusError):
        return meaning_of_status(
            error.status_code,
            error.code,
            _retry_after(error),
            param=error.param,
            is_read=error.request.method == "GET",
        )
    return TransientFailure("openai_unreachable", Step.AI, type(error).__name__)


def _retry_after(error: openai.APIStatusError) -> float | None:
    header = error.response.headers.get("retry-after", "")
    return float(header) if re.fullmatch(r"\d{1,6}(\.\d+)?", header) else None
