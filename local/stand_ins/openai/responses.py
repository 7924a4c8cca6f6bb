"""The JSON of a response: https://developers.openai.com/api/reference/resources/responses."""

from typing import Any

from local.stand_ins.openai.answers import Answer
from local.stand_ins.openai.bodies import ResponseBody
from local.stand_ins.openai.identifiers import new_id


def output_items(answer: Answer) -> list[dict[str, Any]]:
    """The items that an answer gives, as they also enter its conversation."""
    if answer.status == "failed":
        return []
    return [
        {
            "id": new_id("msg"),
            "type": "message",
            "role": "assistant",
            "status": answer.status,
            "content": [_part(answer)],
        }
    ]


def response_resource(
    body: ResponseBody, answer: Answer, output: list[dict[str, Any]], created: float, ended: float
) -> dict[str, Any]:
    """The JSON of a response.

    Args:
        body: The request, parts of which are repeated.
        answer: What the model has come to.
        output: The items that it gives.
        created: When the request came, in seconds since the epoch.
        ended: When the answer was there.
    """
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(created),
        "completed_at": int(ended) if answer.status == "completed" else None,
        "status": answer.status,
        "output": output,
        **_outcome(answer),
        **_repeated(body),
        **_CONSTANT,
    }


def _part(answer: Answer) -> dict[str, Any]:
    if answer.refused:
        return {"type": "refusal", "refusal": answer.text}
    return {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}


def _outcome(answer: Answer) -> dict[str, Any]:
    failed = answer.status == "failed"
    incomplete = answer.status == "incomplete"
    return {
        "error": {"code": answer.reason, "message": answer.error} if failed else None,
        "incomplete_details": {"reason": answer.reason} if incomplete else None,
        "usage": None if failed else _usage(answer),
    }


def _usage(answer: Answer) -> dict[str, Any]:
    return {
        "input_tokens": answer.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.input_tokens + answer.output_tokens,
    }


def _repeated(body: ResponseBody) -> dict[str, Any]:
    wanted = body.text.format
    format_ = wanted.model_dump(by_alias=True, exclude_none=True) if wanted else {"type": "text"}
    return {
        "model": body.model,
        "instructions": body.instructions,
        "conversation": {"id": body.conversation.id} if body.conversation else None,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "safety_identifier": body.safety_identifier,
        "user": body.user,
        "temperature": 1.0 if body.temperature is None else body.temperature,
        "top_p": 1.0 if body.top_p is None else body.top_p,
        "text": {"format": format_, "verbosity": body.text.verbosity or "medium"},
        "reasoning": body.reasoning or {"effort": None, "summary": None},
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "prompt_cache_key": body.prompt_cache_key,
        "service_tier": "default",
        "truncation": body.truncation or "disabled",
    }


_CONSTANT: dict[str, Any] = {
    "background": False,
    "max_tool_calls": None,
    "previous_response_id": None,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
}
