"""The AI's answer, and the message made of it: cleaned and checked before it is paid for."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lambda_src.core.context import AssistantDefinition, VariableRule
from lambda_src.core.errors import PermanentFailure, Step

MAX_BODY = 1600
"""Characters of a free-text message (Twilio error 21617)."""
MAX_RENDERED = 1024
"""Characters of a rendered WhatsApp template; its variables alone must stay below that."""

# Lone surrogates too: strict JSON may hold an escaped half of a character, UTF-8 cannot.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_WHITESPACE = re.compile(r"\s+")


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


def fit(answer: Answer, definition: AssistantDefinition | None) -> Answer:
    """Clean an answer and check it against its definition, before it is stored and sent.

    Raises:
        PermanentFailure: The answer is empty, too long, or does not fit the variables.
    """
    if definition and definition.variables:
        return replace(answer, text="", variables=_fitted(answer.variables, definition.variables))
    return replace(answer, text=_body(answer.text), variables={})


def units(text: str) -> int:
    """Length of a text as Twilio counts it: in UTF-16 code units, an emoji being two or more."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _body(text: str) -> str:
    body = _UNSENDABLE.sub(" ", text.replace("\r\n", "\n")).strip()
    if not body:
        raise _unfit("the text is empty")
    if units(body) > MAX_BODY:
        raise _unfit(f"the text has {units(body)} characters, {MAX_BODY} are allowed")
    return body


def _fitted(values: Mapping[str, str], rules: Mapping[str, VariableRule]) -> dict[str, str]:
    if set(values) != set(rules):
        raise _unfit(f"{len(rules)} variables are defined, the answer does not name just these")
    cleaned = {name: _variable(name, values[name], rule) for name, rule in rules.items()}
    total = sum(map(units, cleaned.values()))
    if total > MAX_RENDERED:
        raise _unfit(f"all variables have {total} characters, {MAX_RENDERED} are allowed")
    return cleaned


def _variable(name: str, value: str, rule: VariableRule) -> str:
    # Twilio refuses variables with line breaks, tabs or more than four spaces in a row (21656).
    cleaned = _WHITESPACE.sub(" ", _UNSENDABLE.sub(" ", value)).strip()
    if not cleaned:
        raise _unfit(f"variable {name} is empty")
    if rule.max_length and units(cleaned) > rule.max_length:
        raise _unfit(
            f"variable {name} has {units(cleaned)} characters, {rule.max_length} are allowed"
        )
    return cleaned


def _unfit(detail: str) -> PermanentFailure:
    return PermanentFailure("ai_answer_unfit", Step.COMPOSE, detail)


def _mismatch(detail: str) -> PermanentFailure:
    return PermanentFailure("assistant_template_mismatch", Step.COMPOSE, detail)
