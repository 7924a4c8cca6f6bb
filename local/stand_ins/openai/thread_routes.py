"""Routes of the Assistants API, version 2, which OpenAI has shut down and others still serve."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from local.stand_ins.faulty_application import fault_to_play
from local.stand_ins.openai.answers import answer_to
from local.stand_ins.openai.errors import OpenAIError, not_found
from local.stand_ins.openai.models import Models
from local.stand_ins.openai.pages import page
from local.stand_ins.openai.parsing import parsed
from local.stand_ins.openai.runs import Run, begun
from local.stand_ins.openai.schema_rules import check_format
from local.stand_ins.openai.thread import Thread
from local.stand_ins.openai.thread_bodies import RunBody, ThreadBody, ThreadMessageBody
from local.stand_ins.openai.threads import ThreadStore

if TYPE_CHECKING:
    from local.stand_ins.openai.stand_in import OpenAIStandIn

_PREFIX = "/v1/threads"
_POLL_AFTER_MILLISECONDS = "10"


class ThreadRoutes:
    """Threads, messages and runs, with their state."""

    def __init__(
        self, stand_in: "OpenAIStandIn", models: Models, assistants: Mapping[str, str] | None
    ) -> None:
        self._stand_in = stand_in
        self._models = models
        self._assistants = assistants
        self._threads = ThreadStore()

    def register(self, application: Flask) -> None:
        """Serve the routes."""
        application.before_request(_check_version)
        application.post(_PREFIX)(self._create_thread)
        application.get(f"{_PREFIX}/<thread_id>")(self._threads.show)
        application.post(f"{_PREFIX}/<thread_id>/messages")(self._write)
        application.get(f"{_PREFIX}/<thread_id>/messages")(self._list_messages)
        application.post(f"{_PREFIX}/<thread_id>/runs")(self._run)
        application.get(f"{_PREFIX}/<thread_id>/runs/<run_id>")(self._poll)
        application.post(f"{_PREFIX}/<thread_id>/runs/<run_id>/cancel")(self._threads.cancel)

    def forget(self) -> None:
        """Forget all threads."""
        self._threads.clear()

    def state(self) -> dict[str, Any]:
        """What there is."""
        return {"threads": self._threads.state()}

    def _create_thread(self) -> dict[str, Any]:
        return self._threads.create(parsed(ThreadBody, request.get_data()))

    def _write(self, thread_id: str) -> dict[str, Any]:
        return self._threads.write(thread_id, parsed(ThreadMessageBody, request.get_data()))

    def _list_messages(self, thread_id: str) -> dict[str, Any]:
        return page(self._threads.messages(thread_id), request.args.to_dict())

    def _poll(self, thread_id: str, run_id: str) -> tuple[dict[str, Any], dict[str, str]]:
        # The SDK's own polling helpers wait as long as this header says.
        headers = {"openai-poll-after-ms": _POLL_AFTER_MILLISECONDS}
        return self._threads.poll(thread_id, run_id), headers

    def _run(self, thread_id: str) -> dict[str, Any]:
        body = parsed(RunBody, request.get_data())
        model = body.model or self._model_of(body.assistant_id)
        self._models.check(model)
        wanted = body.response_format.as_answer_format() if body.response_format else None
        if wanted is not None:
            check_format(wanted, param="response_format.json_schema")
        fault = fault_to_play(request.environ)

        def begin(thread: Thread) -> Run:
            answer = answer_to(_prompt(thread, body), wanted, body.max_completion_tokens, fault)
            extra_seconds = fault.seconds if fault else 0
            return begun(
                thread.id,
                body,
                answer,
                model=model,
                settings=self._stand_in.settings,
                extra_seconds=extra_seconds,
            )

        return self._threads.run(thread_id, body, begin)

    def _model_of(self, assistant_id: str) -> str:
        if self._assistants is None:
            return self._models.usual
        if assistant_id not in self._assistants:
            raise not_found(f"No assistant found with id '{assistant_id}'.")
        return self._assistants[assistant_id]


def _prompt(thread: Thread, body: RunBody) -> list[str]:
    told = [body.instructions, body.additional_instructions]
    return [*thread.texts(), *filter(None, told)]


def _check_version() -> None:
    if request.path.startswith(_PREFIX) and request.headers.get("OpenAI-Beta") != "assistants=v2":
        message = "You must provide the 'OpenAI-Beta' header to access the Assistants API."
        raise OpenAIError("invalid_beta", message)
