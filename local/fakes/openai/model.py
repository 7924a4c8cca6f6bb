"""The fake language model: which models exist, how long they take and what they generate.

The output depends on nothing but the request: a first message with the facts of its input.
"""

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from local.fakes.faults import STRICT, Fault, FaultKind, Seconds
from local.fakes.openai.errors import OpenAIError

CHARACTERS_PER_TOKEN = 4
MAX_OUTPUT_TOKENS = "max_output_tokens"  # a reason, no credential
REASONING_TOKENS = {"none": 0, "low": 32, "medium": 128, "high": 512, "xhigh": 2048, "max": 8192}
"""Tokens that the model spends on reasoning, by the request's effort."""
DEFAULT_EFFORT = "medium"
_QUESTION = "When would be a good time to talk?"
_LIMIT = re.compile(r"at most (\d+) characters", re.IGNORECASE)
_INTERNAL = re.compile(r"(_id|_tel|_email|key|number|timestamp|status|url)$")
_INJECTION = re.compile(
    r"(?:ignor|disregard|vergiss|oubli|zignoruj|無視).*?(?:(?P<reveal>reveal)|[:：] *(?P<text>.+))",
    re.IGNORECASE,
)
_MAX_DETAILS, _MAX_DETAIL_LENGTH = 3, 60


@pydantic_dataclass(frozen=True, slots=True, config=STRICT)
class OpenAISettings:
    """Delays of the fake.

    Attributes:
        answer_seconds: Duration of a response.
        run_seconds: Minimum duration of a thread's run.
        run_polls: Number of polls until a run has ended.
        obeys_input: Whether the model follows instructions in its input, as a weak one does.
    """

    answer_seconds: Seconds = 0.0
    run_seconds: Seconds = 0.0
    run_polls: Annotated[int, Field(ge=1)] = 2
    obeys_input: bool = False


def check_model(name: str, models: Collection[str]) -> None:
    """Check that a model exists.

    Raises:
        OpenAIError: It does not.
    """
    if name not in models:
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise OpenAIError("model_not_found", message)


@dataclass(frozen=True, slots=True)
class Output:
    """The outcome of a generation.

    Attributes:
        status: How it ended.
        text: The generated text, or the refusal.
        input_tokens: Size of the prompt.
        output_tokens: Size of reasoning and texts.
        reasoning_tokens: Size of the reasoning.
        commentary: A text about the work, written before the answer; empty for none.
        copies: How often the text is contained.
        refused: Whether the text is a refusal.
        reason: Why it is incomplete, or the error code of its failure.
        error: The error text of its failure.
    """

    status: Literal["completed", "incomplete", "failed"]
    text: str
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int = 0
    commentary: str = ""
    copies: int = 1
    refused: bool = False
    reason: str = ""
    error: str = ""


def generate(
    prompt: list[str],
    properties: Mapping[str, str] | None,
    max_tokens: int | None,
    fault: Fault | None,
    effort: str | None = None,
    *,
    obeys_input: bool = False,
) -> Output:
    """Return the model's output, which is the same for the same arguments.

    Args:
        prompt: The texts of the prompt, most recent first; facts come from the first JSON object.
        properties: Description of each property of the JSON object to generate; None for text.
        max_tokens: Where the output is truncated; None for no limit.
        fault: The fault to apply, if any.
        effort: The reasoning effort; None for the model's default.
        obeys_input: Whether an instruction in the facts replaces the text.
    """
    facts = next(filter(None, map(_json_object, prompt)), {})
    message = _Message(facts, _injected(facts, prompt[-1]) if obeys_input else None)
    text = message.text() if properties is None else message.json(properties)
    reasoning = REASONING_TOKENS[effort or DEFAULT_EFFORT]
    written = reasoning + _tokens(text)
    output = Output("completed", text, sum(map(_tokens, prompt)), written, reasoning)
    output = _apply(fault, output) if fault else output
    if max_tokens is not None and output.output_tokens > max_tokens:
        return _truncated(output, max_tokens, MAX_OUTPUT_TOKENS)
    return output


def _apply(fault: Fault, output: Output) -> Output:
    match fault.kind:
        case FaultKind.REFUSAL | FaultKind.WRONG_OUTPUT:
            refused = fault.kind is FaultKind.REFUSAL
            tokens = output.reasoning_tokens + _tokens(fault.message)
            return replace(output, text=fault.message, refused=refused, output_tokens=tokens)
        case FaultKind.COMMENTARY:
            tokens = output.output_tokens + _tokens(fault.message)
            return replace(output, commentary=fault.message, output_tokens=tokens)
        case FaultKind.REPEATED | FaultKind.REASONING_ONLY:
            return replace(output, copies=2 if fault.kind is FaultKind.REPEATED else 0)
        case FaultKind.INCOMPLETE:
            return _truncated(output, output.output_tokens // 2, fault.code)
        case FaultKind.FAILED:
            error = fault.message or "The server had an error while processing your request."
            return Output("failed", "", output.input_tokens, 0, reason=fault.code, error=error)
        case _:
            return output


def _truncated(output: Output, tokens: int, reason: str) -> Output:
    text = output.text[: max(0, tokens - output.reasoning_tokens) * CHARACTERS_PER_TOKEN]
    return replace(
        output,
        status="incomplete",
        text=text,
        copies=1 if text else 0,
        reason=reason,
        output_tokens=tokens,
        reasoning_tokens=min(output.reasoning_tokens, tokens),
    )


def _tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


class _Message:
    """A first message to a recipient.

    Args:
        facts: The input: names of company, project and recipient, and the project's data.
        injected: What the input instructs to write; None: nothing.
    """

    def __init__(self, facts: Mapping[str, Any], injected: str | None = None) -> None:
        representative = facts.get("company_rep")
        person = representative.get("name") if isinstance(representative, dict) else None
        company = _one_line(facts.get("company_name")) or "our team"
        project = _one_line(facts.get("project_name")) or "your enquiry"
        details = ", ".join(_details(facts.get("project_data", facts)))
        sender = f"{_one_line(person)} from {company}" if _one_line(person) else company
        topic = f"{project} ({details})" if details else project
        self._name = _one_line(facts.get("recipient_first_name")) or "there"
        sentences = (f"This is {sender}.", f"Thank you for your interest in {topic}.", _QUESTION)
        self._sentences = injected or " ".join(sentences)
        self._phrases = {
            "first name": self._name,
            "company('s)? name|name of the company": company,
            "^(a |the )?greeting": f"Hi {self._name}",
            "^(a |the )?subject": project,
            "^(a |the )?whole text": injected
            or "\n\n".join((f"Hi {self._name},", *sentences, company)),
        }

    def text(self) -> str:
        """Return the whole message."""
        return f"Hi {self._name}! {self._sentences}"

    def json(self, properties: Mapping[str, str]) -> str:
        """Return a JSON object with a text for each property."""
        texts = {name: self._property(description) for name, description in properties.items()}
        return json.dumps(texts, ensure_ascii=False)

    def _property(self, description: str) -> str:
        matching = (
            phrase
            for pattern, phrase in self._phrases.items()
            if re.search(pattern, description, re.IGNORECASE)
        )
        text = next(matching, self._sentences)
        limit = _LIMIT.search(description)
        return _shortened(text, int(limit[1])) if limit else text


def _injected(facts: Mapping[str, Any], instructions: str) -> str | None:
    for _, text in _leaves("", facts):
        if found := _INJECTION.search(text):
            return instructions if found["reveal"] else found["text"]
    return None


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _details(project: Any) -> list[str]:
    found: dict[str, str] = {}
    for name, value in _leaves("", project):
        if value and len(value) <= _MAX_DETAIL_LENGTH and not _INTERNAL.search(name):
            found.setdefault(name, f"{name.replace('_', ' ')} {value}")
    return list(found.values())[:_MAX_DETAILS]


def _leaves(name: str, value: Any) -> Iterator[tuple[str, str]]:
    pending = [(name, value)]
    while pending:
        name, value = pending.pop(0)
        if isinstance(value, dict):
            pending[:0] = value.items()
        else:
            yield name, _one_line(value)


def _one_line(value: Any) -> str:
    return " ".join(str(value).split()) if type(value) in {str, int, float} else ""


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    cut = text[:limit]
    candidates = (cut.rpartition(". ")[0] + ".", cut.rpartition(" ")[0].rstrip(" ,;:(-"), cut)
    return next(each for each in candidates if len(each) >= limit // 2)
