"""A model's answer to a prompt, with the ways in which it can be something else than wanted."""

import json
import math
from dataclasses import dataclass, replace
from typing import Literal

from local.stand_ins.faults import Fault, FaultKind
from local.stand_ins.openai.bodies import AnswerFormat
from local.stand_ins.openai.documents import document
from local.stand_ins.openai.known_facts import KnownFacts
from local.stand_ins.openai.writer import Writer

CHARACTERS_PER_TOKEN = 4
MAX_OUTPUT_TOKENS = "max_output_tokens"  # the name of a reason, no credential


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model has come to.

    Attributes:
        status: How it ended.
        text: What it wrote, or its refusal.
        refused: Whether the text is a refusal.
        reason: Why it is incomplete, or the code of its failure.
        error: Words for a failure.
        input_tokens: Size of the prompt.
        output_tokens: Size of the text.
    """

    status: Literal["completed", "incomplete", "failed"]
    text: str
    input_tokens: int
    output_tokens: int
    refused: bool = False
    reason: str = ""
    error: str = ""


def answer_to(
    prompt: list[str], wanted: AnswerFormat | None, max_tokens: int | None, fault: Fault | None
) -> Answer:
    """The model's answer, the same for the same arguments.

    Args:
        prompt: Its parts, those that count most first.
        wanted: The format of the answer; None for text.
        max_tokens: Where it is cut off; None for nowhere.
        fault: What is to be wrong with it, if anything is.

    Raises:
        OpenAIError: The format asks for something that the stand-in cannot write.
    """
    text = _text(prompt, wanted)
    size = sum(map(tokens_of, prompt))
    answer = Answer("completed", text, size, tokens_of(text))
    if fault is not None:
        answer = _spoilt(answer, fault)
    if max_tokens is not None and answer.output_tokens > max_tokens:
        return _cut(answer, max_tokens, MAX_OUTPUT_TOKENS)
    return answer


def tokens_of(text: str) -> int:
    """About as many tokens as a text has."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _text(prompt: list[str], wanted: AnswerFormat | None) -> str:
    writer = Writer(KnownFacts(prompt))
    if wanted is None or wanted.type == "text":
        return writer.message()
    if wanted.schema_ is None:
        return json.dumps({"message": writer.message()}, ensure_ascii=False)
    return document(wanted.schema_, writer)


def _spoilt(answer: Answer, fault: Fault) -> Answer:
    match fault.kind:
        case FaultKind.REFUSAL:
            return _retold(answer, fault.message, refused=True)
        case FaultKind.INCOMPLETE:
            return _cut(answer, answer.output_tokens // 2, fault.code)
        case FaultKind.FAILED:
            words = fault.message or "The server had an error while processing your request."
            failed = _retold(answer, "", refused=False)
            return replace(failed, status="failed", reason=fault.code, error=words)
        case FaultKind.MISFIT:
            return _retold(answer, fault.message, refused=False)
        case _:
            return answer


def _retold(answer: Answer, text: str, *, refused: bool) -> Answer:
    return replace(answer, text=text, refused=refused, output_tokens=tokens_of(text))


def _cut(answer: Answer, tokens: int, reason: str) -> Answer:
    return replace(
        answer,
        status="incomplete",
        text=answer.text[: tokens * CHARACTERS_PER_TOKEN],
        reason=reason,
        output_tokens=tokens,
    )
