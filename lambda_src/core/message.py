"""What the AI is asked to write, its answer, and the message made of it: cleaned and checked."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lambda_src.core.context import AssistantDefinition, Engine, VariableRule
from lambda_src.core.errors import PermanentFailure, Step
from lambda_src.core.text_rules import TWILIO, Limit, TextRules
from lambda_src.core.unforeseen import under_way

# Lone surrogates too: strict JSON may hold an escaped half of a character, UTF-8 cannot.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_WHITESPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Assignment:
    """One message for the AI to write.

    `metadata` are ids only; `timeout` is in seconds and covers the whole answer.
    """

    engine: Engine
    assistant_id: str
    definition: AssistantDefinition | None
    briefing: Mapping[str, Any]
    metadata: Mapping[str, str]
    timeout: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens billed for one answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the AI wrote: `text`, or `variables` when the definition names some.

    Attributes:
        thread_id: The OpenAI conversation or thread that holds it.
        message_id: OpenAI's id of the answer.
        created_at: When it was written, ISO 8601.
        text: The free text, empty for a template.
        variables: The template's content variables, empty for free text.
        usage: Tokens billed.
    """

    thread_id: str
    message_id: str
    created_at: str
    text: str
    variables: Mapping[str, str]
    usage: Usage

    @property
    def content(self) -> str:
        """What was sent, for the history: the text, or the content variables as JSON."""
        return self.text or json.dumps(dict(self.variables), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message as the sender takes it: a `body`, or a template with its variables."""

    sender: str
    recipient: str
    body: str = ""
    template_sid: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


def check_mode(*, has_variables: bool, template_sid: str | None) -> None:
    """Check that the assistant writes what the credentials send, before anything is paid for.

    Raises:
        PermanentFailure: A template needs an assistant with variables, free text one without.
    """
    if template_sid and not has_variables:
        raise _mismatch("the secret names a template, the assistant defines no variables")
    if has_variables and not template_sid:
        raise _mismatch("the assistant defines variables, the secret names no template")


@under_way(Step.COMPOSE)
def fit(
    answer: Answer, definition: AssistantDefinition | None, rules: TextRules = TWILIO
) -> Answer:
    """Clean an answer and check it, before it is stored and sent.

    Args:
        answer: What the AI wrote.
        definition: What it was asked for.
        rules: What the channel makes of texts.

    Raises:
        PermanentFailure: The answer is empty, too long, or does not fit the variables.
    """
    if definition and definition.variables:
        variables = _fitted(answer.variables, definition.variables, rules)
        return replace(answer, text="", variables=variables)
    return replace(answer, text=_body(answer.text, rules), variables={})


def _body(text: str, rules: TextRules) -> str:
    body = rules.spell(_UNSENDABLE.sub(" ", text.replace("\r\n", "\n"))).strip()
    if not body:
        raise _unfit("the text is empty")
    _check_length("the text has", body, rules.body)
    return body


def _fitted(
    values: Mapping[str, str], asked: Mapping[str, VariableRule], rules: TextRules
) -> dict[str, str]:
    if set(values) != set(asked):
        raise _unfit(f"{len(asked)} variables are defined, the answer does not name just these")
    cleaned = {name: _variable(name, values[name], rule, rules) for name, rule in asked.items()}
    _check_length("all variables have", "".join(cleaned.values()), rules.variables)
    return cleaned


def _variable(name: str, value: str, asked: VariableRule, rules: TextRules) -> str:
    # Twilio refuses variables with line breaks, tabs or more than four spaces in a row (21656).
    cleaned = _WHITESPACE.sub(" ", rules.spell(_UNSENDABLE.sub(" ", value))).strip()
    if not cleaned:
        raise _unfit(f"variable {name} is empty")
    if asked.max_length:
        _check_length(f"variable {name} has", cleaned, (Limit(asked.max_length),))
    return cleaned


def _check_length(what: str, text: str, limits: tuple[Limit, ...]) -> None:
    for limit in limits:
        if excess := limit.excess(text):
            raise _unfit(f"{what} {excess}")


def _unfit(detail: str) -> PermanentFailure:
    return PermanentFailure("ai_answer_unfit", Step.COMPOSE, detail)


def _mismatch(detail: str) -> PermanentFailure:
    return PermanentFailure("assistant_template_mismatch", Step.COMPOSE, detail)
