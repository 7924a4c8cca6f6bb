"""From a context object to an answer that is valid for the channel and the assistant."""

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from lambda_src.core.contract import LogEvent, Metric, Step
from lambda_src.core.errors import (
    ConfigurationRefused,
    CredentialsRefused,
    InvalidAnswer,
    TransientFailure,
)
from lambda_src.core.models import (
    Answer,
    AssistantDefinition,
    ContextObject,
    Delivery,
    Engine,
    GenerationRequest,
    Limit,
    TextRules,
    Usage,
    VariableRule,
    first_violation,
)
from lambda_src.core.ports import Assistants, Clock, Metrics, Secrets, TextGenerator
from lambda_src.core.time_budget import TimeBudget

log = logging.getLogger(__name__)

MAX_METADATA_LENGTH = 512
"""Characters that OpenAI accepts as the value of one metadata key."""

# Includes lone surrogates: JSON may contain an escaped half of a character, UTF-8 may not.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Markers such as 【4:0†source】 of file search, and those of web search between private-use
# characters (https://platform.openai.com/docs/assistants/deep-dive#message-annotations).
_CITATION = re.compile(r"[ \t]*(?:【[^】\n]*†[^】\n]*】|\ue200[^\ue201\n]*\ue201)")
_CITATION_START = re.compile(r"【\d+(?::\d+)?†|[\ue200-\ue202]")
_WHITESPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Question:
    """What the AI is asked; `problem` says what was wrong with its first answer."""

    delivery: Delivery
    context: ContextObject
    definition: AssistantDefinition | None
    check_lease: Callable[[], None]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MessageComposer:
    """Asks the AI for the message, and once more if its answer cannot be sent.

    `text_rules` are the channel's; `stopwatch` returns seconds of which only differences matter.
    """

    secrets: Secrets
    assistants: Assistants
    generator: TextGenerator
    metrics: Metrics
    clock: Clock
    times: TimeBudget
    text_rules: TextRules
    stopwatch: Callable[[], float] = time.perf_counter

    def compose(
        self,
        delivery: Delivery,
        context: ContextObject,
        template_id: str | None,
        check_lease: Callable[[], None],
    ) -> Answer:
        """Return the answer to send.

        Args:
            delivery: The delivery, whose step is kept up to date.
            context: The message's subject.
            template_id: The vendor's template to fill; None without one.
            check_lease: Raises if the lease may have been lost, before a request is billed.

        Raises:
            LeaseLost: From `check_lease`.
            InvalidAnswer: The second answer cannot be sent either.
            PermanentFailure: The AI refuses to write.
            ConfigurationRefused: The secret or the assistant is missing or invalid.
            TransientFailure: OpenAI did not answer or refuses the account, or too little time is
                left.
        """
        delivery.step = Step.AI
        definition = context.assistant or self.assistants.find(context.assistant_id)
        if definition is None and context.engine is Engine.RESPONSES:
            raise ConfigurationRefused("assistant_unknown", Step.AI, "no definition of that id")
        self._check_variables(definition.variables if definition else {}, template_id)
        question = _Question(delivery, context, definition, check_lease)
        try:
            return self._draft(question)
        except InvalidAnswer as invalid:
            first = invalid
        log.warning("asked again: %s", first.detail, extra={"event": LogEvent.AI_ANSWER_INVALID})
        answer = self._draft(replace(question, problem=first.detail))
        return replace(answer, usage=first.usage + answer.usage)

    def reuse(self, stored: Answer, context: ContextObject, template_id: str | None) -> Answer:
        """Return a stored answer, with its variables in the order of the definition.

        The table does not keep their order.

        Raises:
            ConfigurationRefused: The answer does not fit the channel or the secret, or the
                definition is invalid.
        """
        self._check_variables(stored.variables, template_id)
        definition = context.assistant or self.assistants.find(context.assistant_id)
        defined = definition.variables if definition else ()
        names = [name for name in defined if name in stored.variables]
        values = stored.variables
        return replace(stored, variables={name: values[name] for name in (*names, *values)})

    def _check_variables(self, names: Collection[str], template_id: str | None) -> None:
        """Check that the variables fit the channel and the secret, before a request is billed.

        Raises:
            ConfigurationRefused: They do not.
        """
        required = self.text_rules.required_variables
        if missing := [name for name in required if name not in names]:
            detail = f"expected the variables {', '.join(required)}, missing {', '.join(missing)}"
            raise ConfigurationRefused("assistant_variables_missing", Step.COMPOSE, detail)
        if not self.text_rules.needs_template or bool(template_id) == bool(names):
            return
        detail = (
            "the secret names a template, the assistant defines no variables"
            if template_id
            else "the assistant defines variables, the secret names no template"
        )
        raise ConfigurationRefused("assistant_template_mismatch", Step.COMPOSE, detail)

    def _draft(self, question: _Question) -> Answer:
        try:
            answer = self._generate(question, fresh=False)
        except CredentialsRefused:
            answer = self._generate(question, fresh=True)
        question.delivery.step = Step.COMPOSE
        try:
            return validate_output(answer, question.definition, self.text_rules)
        except InvalidAnswer as invalid:
            invalid.usage = answer.usage
            raise

    def _generate(self, question: _Question, *, fresh: bool) -> Answer:
        delivery, context = question.delivery, question.context
        delivery.step = Step.SECRETS
        api_key = self.secrets.openai_key(context.api_key_reference, fresh=fresh)
        delivery.step = Step.AI
        question.check_lease()
        timeout = self.times.ai_timeout(delivery.deadline - self.clock())
        if timeout is None:
            raise TransientFailure("out_of_time", Step.AI, retry_in=0)
        request = GenerationRequest(
            engine=context.engine,
            assistant_id=context.assistant_id,
            definition=question.definition,
            prompt_context=context.prompt_context,
            metadata={
                "conversation_id": context.key.conversation_id[:MAX_METADATA_LENGTH],
                "request_id": context.request_id[:MAX_METADATA_LENGTH],
            },
            timeout=timeout,
            problem=question.problem,
            safety_identifier=safety_identifier(api_key, context),
        )
        measured: dict[Metric, float] = {}
        started = self.stopwatch()
        try:
            answer = self.generator.generate(api_key, request)
        except InvalidAnswer as invalid:
            measured = _tokens(invalid.usage)
            raise
        else:
            measured = _tokens(answer.usage)
            return answer
        finally:
            self.metrics.record({Metric.AI_SECONDS: self.stopwatch() - started, **measured})


def _tokens(usage: Usage) -> dict[Metric, float]:
    return {
        Metric.PROMPT_TOKENS: usage.prompt_tokens,
        Metric.COMPLETION_TOKENS: usage.completion_tokens,
    }


def safety_identifier(api_key: str, context: ContextObject) -> str:
    """Return a hash of tenant and recipient that reveals neither, keyed with the API key.

    https://platform.openai.com/docs/guides/safety-best-practices
    """
    person = f"{context.credentials_reference or context.tenant}\n{context.recipient}"
    return hmac.new(api_key.encode(), person.encode(), hashlib.sha256).hexdigest()


def validate_output(
    answer: Answer, definition: AssistantDefinition | None, rules: TextRules
) -> Answer:
    """Normalize an answer's texts and check their lengths, before it is stored and sent.

    Args:
        answer: What the AI wrote.
        definition: What it was asked for.
        rules: The channel's rules.

    Raises:
        InvalidAnswer: A text is empty or too long, or the variables are not the definition's.
    """
    if definition and definition.variables:
        variables = _validated_variables(answer.variables, definition.variables, rules)
        return replace(answer, text="", variables=variables)
    body = _sendable(answer.text, rules).strip()
    if not body:
        raise _invalid("the text is empty")
    if violation := first_violation(("the text has", body, limit) for limit in rules.body):
        raise _invalid(violation)
    return replace(answer, text=body, variables={})


def _validated_variables(
    values: Mapping[str, str], definitions: Mapping[str, VariableRule], rules: TextRules
) -> dict[str, str]:
    if set(values) != set(definitions):
        raise _invalid(
            f"{len(definitions)} variables are defined, the answer does not name just these"
        )
    valid, checks = {}, []
    for name, rule in definitions.items():
        value = _sendable(values[name], rules)
        lines = value.split("\n") if rules.keeps_line_breaks else [value]
        valid[name] = "\n".join(_WHITESPACE.sub(" ", line).strip() for line in lines).strip()
        if not valid[name]:
            raise _invalid(f"variable {name} is empty")
        if rule.max_length:
            checks.append((f"variable {name} has", valid[name], Limit(rule.max_length)))
    joined = "".join(valid.values())
    checks += [("all variables have", joined, limit) for limit in rules.variables]
    if violation := first_violation(checks):
        raise _invalid(violation)
    return valid


def _sendable(text: str, rules: TextRules) -> str:
    without_citations = _without_citations(text.replace("\r\n", "\n"))
    return rules.transliterate(_UNSENDABLE.sub(" ", without_citations))


def _without_citations(text: str) -> str:
    remaining = _CITATION.sub("", text)
    if _CITATION_START.search(remaining):
        raise _invalid("the text contains an incomplete citation marker")
    return remaining


def _invalid(detail: str) -> InvalidAnswer:
    return InvalidAnswer("ai_answer_unfit", Step.COMPOSE, detail)
