"""Routes of models, conversations and responses."""

import time
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from local.stand_ins.faulty_application import fault_to_play
from local.stand_ins.openai.answers import answer_to
from local.stand_ins.openai.bodies import ConversationBody, ResponseBody
from local.stand_ins.openai.conversations import Conversation, ConversationStore, input_item
from local.stand_ins.openai.errors import not_found
from local.stand_ins.openai.models import Models
from local.stand_ins.openai.pages import page
from local.stand_ins.openai.parsing import parsed
from local.stand_ins.openai.responses import output_items, response_resource
from local.stand_ins.openai.schema_rules import check_format

if TYPE_CHECKING:
    from local.stand_ins.openai.stand_in import OpenAIStandIn


class ResponseRoutes:
    """Models, conversations and responses, with their state."""

    def __init__(self, stand_in: "OpenAIStandIn", models: Models) -> None:
        self._stand_in = stand_in
        self._models = models
        self._conversations = ConversationStore()
        self._responses: dict[str, dict[str, Any]] = {}

    def register(self, application: Flask) -> None:
        """Serve the routes."""
        application.get("/v1/models")(self._models.all)
        application.get("/v1/models/<name>")(self._models.one)
        application.post("/v1/conversations")(self._create_conversation)
        application.get("/v1/conversations/<id_>")(self._show_conversation)
        application.get("/v1/conversations/<id_>/items")(self._list_items)
        application.post("/v1/responses")(self._create_response)
        application.get("/v1/responses/<id_>")(self._show_response)

    def forget(self) -> None:
        """Forget all conversations and responses."""
        self._conversations.clear()
        self._responses.clear()

    def state(self) -> dict[str, Any]:
        """What there is."""
        return {
            "conversations": self._conversations.state(),
            "responses": list(self._responses.values()),
        }

    def _create_conversation(self) -> dict[str, Any]:
        body = parsed(ConversationBody, request.get_data())
        return self._conversations.create(body).resource()

    def _show_conversation(self, id_: str) -> dict[str, Any]:
        return self._conversations.get(id_).resource()

    def _list_items(self, id_: str) -> dict[str, Any]:
        return page(self._conversations.items(id_), request.args.to_dict())

    def _show_response(self, id_: str) -> dict[str, Any]:
        if id_ not in self._responses:
            raise not_found(f"Response with id '{id_}' not found.")
        return self._responses[id_]

    def _create_response(self) -> dict[str, Any]:
        body = parsed(ResponseBody, request.get_data())
        self._models.check(body.model)
        if body.text.format is not None:
            check_format(body.text.format, param="text.format")
        conversation = self._conversations.get(body.conversation.id) if body.conversation else None
        with self._conversations.occupied(conversation):
            response = self._respond(body, conversation)
        if body.store is not False:
            self._responses[response["id"]] = response
        return response

    def _respond(self, body: ResponseBody, conversation: Conversation | None) -> dict[str, Any]:
        created = time.time()
        fault = fault_to_play(request.environ)
        seconds = self._stand_in.settings.answer_seconds + (fault.seconds if fault else 0)
        self._stand_in.waiting.pause(seconds)
        answer = answer_to(
            _prompt(body, conversation), body.text.format, body.max_output_tokens, fault
        )
        output = output_items(answer)
        if conversation is not None and output:
            told = [input_item(message) for message in body.input]
            self._conversations.add(conversation, [*told, *output])
        return response_resource(body, answer, output, created, time.time())


def _prompt(body: ResponseBody, conversation: Conversation | None) -> list[str]:
    told = [message.text for message in reversed(body.input)]
    before = conversation.texts() if conversation else []
    return [*told, *before, *([body.instructions] if body.instructions else [])]
