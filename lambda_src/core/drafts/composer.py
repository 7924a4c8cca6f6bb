"""From a context object to a draft: what the AI is asked, and whether its answer may be sent."""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from secrets import token_urlsafe
from typing import Any, Protocol

from lambda_src.core.contract import CheckMode, HoldReason, LogEvent, Metric, Step
from lambda_src.core.drafts.checks import (
    CheckResult,
    check_texts,
    moderation_result,
)
from lambda_src.core.drafts.texts import validate_output
from lambda_src.core.errors import (
    ConfigurationRefused,
    CredentialsRefused,
    InvalidAnswer,
    TransientFailure,
    did_you_mean,
)
from lambda_src.core.ledger import HeldDraft, Lease, RejectedDraft
from lambda_src.core.models import (
    Answer,
    AssistantDefinition,
    ContextObject,
    Delivery,
    Engine,
    GenerationRequest,
    TextRules,
    Usage,
)
from lambda_src.core.ports import Assistants, Clock, Metrics, Secrets, TextGenerator
from lambda_src.core.time_budget import TimeBudget

log = logging.getLogger(__name__)

MAX_METADATA_LENGTH = 512
"""Characters that OpenAI accepts as the value of one metadata key."""
MAX_MODERATION_SECONDS = 10.0
DISCARD_SECONDS = 5.0
"""Maximum duration of the deletion of a conversation or response that is not used."""
DRAFT_ID_BYTES = 16
NOT_BILLED = Usage(0, 0, 0)


class Checkpoints(Protocol):
    """What the composer stores of a draft under the conversation's lease: `LeaseManager`.

    Each method raises `LeaseLost` if another worker holds the lease.
    """

    def reject_draft(self, lease: Lease, rejected: RejectedDraft) -> None:
        """Store what was wrong with the AI's first answer."""

    def checkpoint_answer(self, lease: Lease, answer: Answer) -> None:
        """Store an answer that cannot be sent now, so that a later attempt uses it."""

    def clear_discarded(self, lease: Lease) -> None:
        """Remove the conversations that were deleted at OpenAI."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What the AI is asked; `problem` says what was wrong with its first answer.

    `billed` are the tokens of the first answer.
    """

    delivery: Delivery
    context: ContextObject
    definition: AssistantDefinition | None
    lease: Lease
    check_lease: Callable[[], None]
    problem: str = ""
    billed: Usage = NOT_BILLED


@dataclass(frozen=True, slots=True)
class MessageComposer:
    """Asks the AI for the message, and once more if its answer does not pass the checks.

    `text_rules` are the channel's; `stopwatch` returns seconds of which only differences matter.
    """

    leases: Checkpoints
    secrets: Secrets
    assistants: Assistants
    generator: TextGenerator
    metrics: Metrics
    clock: Clock
    times: TimeBudget
    text_rules: TextRules
    check_mode: CheckMode = CheckMode.ENFORCE
    stopwatch: Callable[[], float] = time.perf_counter

    def compose(
        self,
        delivery: Delivery,
        context: ContextObject,
        lease: Lease,
        template_id: str | None,
        check_lease: Callable[[], None],
    ) -> Answer | HeldDraft:
        """Return the answer to send, or the draft that an operator must release.

        The AI is asked for one draft at most twice, in all deliveries together.

        Args:
            delivery: The delivery, whose step is kept up to date.
            context: The message's subject.
            lease: The conversation's; an earlier attempt may have got the first answer.
            template_id: The vendor's template to fill; None without one.
            check_lease: Raises if the lease may have been lost, before a request is billed.

        Raises:
            LeaseLost: Another worker holds the lease, or may hold it.
            PermanentFailure: The AI refuses to write.
            ConfigurationRefused: The secret or the assistant is missing or invalid.
            TransientFailure: OpenAI did not answer or refuses the account, or too little time is
                left.
        """
        delivery.step = Step.AI
        definition = self._definition(context)
        if definition is None and context.engine is Engine.RESPONSES:
            raise self._unknown_assistant(context)
        self._check_variables(definition.variables if definition else {}, template_id)
        question = _Question(delivery, context, definition, lease, check_lease)
        rejected = lease.drafts.rejected
        if rejected is None:
            try:
                return self._reviewed(self._draft(question), context, template_id)
            except InvalidAnswer as invalid:
                rejected = _rejected_draft(invalid)
                log.warning(
                    "asked again: %s",
                    invalid.detail,
                    extra={"event": LogEvent.AI_ANSWER_INVALID},
                )
                self.leases.reject_draft(lease, rejected)
        return self._compose_again(question, rejected, template_id)

    def _compose_again(
        self, question: _Question, rejected: RejectedDraft, template_id: str | None
    ) -> Answer | HeldDraft:
        failed: InvalidAnswer | None = None
        self._discard(question, rejected.openai_ids)
        try:
            answer = self._draft(replace(question, problem=rejected.problem, billed=rejected.usage))
        except InvalidAnswer as invalid:
            answer, failed = _answer_of(invalid), invalid
        answer = replace(answer, usage=rejected.usage + answer.usage)
        if failed:
            return self._held(answer, template_id, HoldReason.CHECKS_FAILED, failed)
        return self._reviewed(answer, question.context, template_id)

    def reuse(
        self,
        delivery: Delivery,
        context: ContextObject,
        lease: Lease,
        stored: Answer,
        template_id: str | None,
    ) -> Answer | HeldDraft:
        """Return a stored answer, with its variables in the order of the definition.

        The table does not keep their order. An answer that has not passed the present checks, such
        as one of version 1.x, is checked without asking the AI again. What an operator approved is
        sent as it is, or held again if it no longer fits the template.

        Raises:
            ConfigurationRefused: The answer does not fit the channel or the secret, or the
                definition is invalid or, for an answer that was not checked, unknown.
            ProcessingError: Moderation did not answer.
        """
        definition = self._definition(context)
        defined = definition.variables if definition else ()
        names = [name for name in defined if name in stored.variables]
        values = stored.variables
        answer = replace(stored, variables={name: values[name] for name in (*names, *values)})
        if lease.drafts.approved_by:
            is_same = lease.drafts.template_id == (template_id or "")
            if not is_same or (definition and set(defined) != set(values)):
                return self._held(answer, template_id, HoldReason.TEMPLATE_CHANGED)
            self._check_variables(values, template_id)
            return answer
        self._check_variables(values, template_id)
        if definition is None and context.engine is Engine.RESPONSES and not stored.checked:
            raise self._unknown_assistant(context)
        if definition is None or stored.checked == self._stamp(definition):
            return self._reviewed(answer, context, template_id)
        delivery.step = Step.COMPOSE
        question = _Question(delivery, context, definition, lease, lambda: None)
        try:
            checked = self._checked(question, answer, is_stored=True)
        except InvalidAnswer as invalid:
            return self._held(_answer_of(invalid), template_id, HoldReason.CHECKS_FAILED, invalid)
        return self._reviewed(checked, context, template_id)

    def _definition(self, context: ContextObject) -> AssistantDefinition | None:
        return context.assistant or self.assistants.find(context.assistant_id)

    def _unknown_assistant(self, context: ContextObject) -> ConfigurationRefused:
        config = f"company_data_payload.ai_config.openai_config.{context.channel}"
        found = f"another{did_you_mean(context.assistant_id, self.assistants.names())}"
        expected = f"expected the id of an assistant definition, found {found}"
        detail = f"{config}.assistant_id_template_sender: {expected}"
        return ConfigurationRefused("assistant_unknown", Step.AI, detail)

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

    def _reviewed(
        self, answer: Answer, context: ContextObject, template_id: str | None
    ) -> Answer | HeldDraft:
        if not context.needs_review:
            return answer
        return self._held(answer, template_id, HoldReason.REVIEW_REQUESTED)

    def _held(
        self,
        answer: Answer,
        template_id: str | None,
        reason: HoldReason,
        failed: InvalidAnswer | None = None,
    ) -> HeldDraft:
        return HeldDraft(
            id=token_urlsafe(DRAFT_ID_BYTES),
            answer=answer,
            template_id=template_id or "",
            reason=reason,
            problems=failed.problems if failed else (),
            at=self.clock(),
            detail=failed.detail if failed else "",
        )

    def _draft(self, question: _Question) -> Answer:
        try:
            try:
                answer = self._generate(question, fresh=False)
            except CredentialsRefused:
                answer = self._generate(question, fresh=True)
        except InvalidAnswer as invalid:
            invalid.problems = (invalid.detail,)
            invalid.answer = self._with_provenance(question, _answer_of(invalid), ())
            raise
        question.delivery.step = Step.COMPOSE
        return self._checked(question, answer)

    def _checked(self, question: _Question, answer: Answer, *, is_stored: bool = False) -> Answer:
        """Return an answer that satisfies the channel's rules and the assistant's checks.

        Raises:
            InvalidAnswer: It does not; has the answer, and says what was wrong.
            ProcessingError: Moderation did not answer; the answer is stored.
        """
        definition, context = question.definition, question.context
        try:
            answer = validate_output(answer, definition, self.text_rules)
        except InvalidAnswer as invalid:
            invalid.problems = (invalid.detail,)
            invalid.answer = self._with_provenance(question, answer)
            raise
        if definition is None:
            return self._with_provenance(question, answer)
        results = check_texts(answer, context, definition)
        if not is_stored:
            answer = self._with_provenance(question, answer, results)
        if definition.checks.moderation and not any(result.problems for result in results):
            results.append(self._moderate(question, answer))
        written_by = {**answer.written_by, "checks": _outcomes(results)}
        answer = replace(answer, checked=self._stamp(definition), written_by=written_by)
        failed = [result for result in results if result.problems]
        if failed:
            self._report_failed(answer, failed)
        return answer

    def _report_failed(self, answer: Answer, failed: Sequence[CheckResult]) -> None:
        names = ", ".join(f"{result.name} ({len(result.problems)})" for result in failed)
        self.metrics.record({Metric.CHECKS_FAILED: 1})
        log.warning(
            "the draft fails its checks: %s",
            names,
            extra={"event": LogEvent.DRAFT_CHECKS_FAILED},
        )
        if self.check_mode is CheckMode.ENFORCE:
            invalid = InvalidAnswer("ai_answer_unfit", Step.COMPOSE, names)
            invalid.answer = answer
            invalid.problems = tuple(
                f"the draft {problem}" for result in failed for problem in result.problems
            )
            raise invalid

    def _moderate(self, question: _Question, answer: Answer) -> CheckResult:
        context = question.context
        texts = [answer.text] if answer.text else list(answer.variables.values())
        try:
            timeout = self._ai_timeout(question.delivery)
            api_key = self.secrets.openai_key(context.api_key_reference)
            categories = self.generator.moderate(
                api_key, texts, min(timeout, MAX_MODERATION_SECONDS)
            )
        except Exception:
            # Otherwise the next attempt would ask, and pay, for another answer.
            usage = question.billed + answer.usage
            self.leases.checkpoint_answer(question.lease, replace(answer, usage=usage))
            raise
        return moderation_result(categories)

    def _discard(self, question: _Question, openai_ids: Sequence[str]) -> None:
        """Delete what OpenAI stores of answers that are not used, if there is time.

        Before the second request, since a crash after it would lose an answer that was paid.
        """
        context, lease = question.context, question.lease
        ids = dict.fromkeys((*lease.drafts.discarded_threads, *openai_ids))
        left = question.delivery.deadline - self.clock() - DISCARD_SECONDS * len(ids)
        if not ids or self.times.ai_timeout(left) is None:
            return
        api_key = self.secrets.openai_key(context.api_key_reference)
        deleted = [
            self.generator.discard(api_key, context.engine, id_, DISCARD_SECONDS) for id_ in ids
        ]
        if all(deleted):
            self.leases.clear_discarded(lease)

    def _stamp(self, definition: AssistantDefinition) -> str:
        """Return what identifies the rules for a text: a stored answer may have met others."""
        rules = self.text_rules
        limits = {
            name: [[limit.maximum, limit.unit] for limit in getattr(rules, name)]
            for name in ("body", "variables")
        }
        others = [rules.keeps_line_breaks, rules.required_variables, rules.needs_template]
        return _digest([asdict(definition.checks), limits, others, self.check_mode])

    def _with_provenance(
        self, question: _Question, answer: Answer, results: Sequence[CheckResult] = ()
    ) -> Answer:
        context, definition = question.context, question.definition
        written_by: dict[str, Any] = {
            "engine": context.engine,
            "assistant_id": context.assistant_id,
            "requests": 2 if question.problem else 1,
        }
        if definition:
            written_by |= {
                "model": definition.model,
                "definition_sha256": _digest(asdict(definition)),
                "reasoning_effort": definition.reasoning_effort,
                "checks": _outcomes(results),
            }
        known = {name: value for name, value in written_by.items() if value}
        return replace(answer, written_by=known)

    def _ai_timeout(self, delivery: Delivery) -> float:
        timeout = self.times.ai_timeout(delivery.deadline - self.clock())
        if timeout is None:
            raise TransientFailure("out_of_time", Step.AI, retry_in=0)
        return timeout

    def _generate(self, question: _Question, *, fresh: bool) -> Answer:
        delivery, context = question.delivery, question.context
        delivery.step = Step.SECRETS
        api_key = self.secrets.openai_key(context.api_key_reference, fresh=fresh)
        delivery.step = Step.AI
        question.check_lease()
        timeout = self._ai_timeout(delivery)
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
            guidance=context.guidance,
        )
        measured: dict[Metric, float] = {}
        started = self.stopwatch()
        try:
            answer = self.generator.generate(api_key, request)
        except InvalidAnswer as invalid:
            measured = _tokens(_answer_of(invalid).usage)
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


def _rejected_draft(invalid: InvalidAnswer) -> RejectedDraft:
    answer = _answer_of(invalid)
    return RejectedDraft("; ".join(invalid.problems), answer.openai_ids, answer.usage)


def _answer_of(invalid: InvalidAnswer) -> Answer:
    return invalid.answer or Answer("", "", "", "", {}, NOT_BILLED)


def _outcomes(results: Sequence[CheckResult]) -> list[Mapping[str, Any]]:
    return [{"name": result.name, "passed": not result.problems} for result in results]


def _digest(value: object) -> str:
    """Return the SHA-256 of a value as canonical JSON."""
    document = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(document.encode()).hexdigest()
