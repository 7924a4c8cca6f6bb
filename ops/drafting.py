"""What the AI would write for a context object: the function's own composer, storing nothing.

Nothing is sent and no record is written. What OpenAI stores of the answers is deleted afterwards.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lambda_src.bootstrap import build_composer
from lambda_src.core import (
    Answer,
    ChannelParts,
    ContextObject,
    HeldDraft,
    NoCredentials,
    ProcessingError,
    Usage,
)
from lambda_src.core.contract import DEFAULTS, CheckMode, Variable
from lambda_src.core.drafts.checks import check_texts
from lambda_src.core.errors import InvalidAnswer
from lambda_src.core.ledger import Lease, RejectedDraft
from lambda_src.core.models import Delivery, Engine
from lambda_src.core.openai_processor import OpenAIProcessor
from lambda_src.core.time_budget import TimeBudget
from lambda_src.utils.context_processor import ContextParser
from ops.credential_checks import NamedSecrets
from ops.prices import answer_dollars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lambda_src.core import AssistantDefinition, Credentials, GenerationRequest, TextGenerator
    from lambda_src.core.drafts.composer import MessageComposer
    from lambda_src.core.ports import Secrets
    from ops.deployment import Deployment

DISCARD_SECONDS = 15.0
"""Maximum duration of the deletion of a conversation or response at OpenAI."""
ASSUMED_TEMPLATE = "assumed"
"""Stands for a tenant's template where its secret is not read."""
NOTHING_BILLED = Usage(0, 0, 0)
DEFAULT_TIMES = TimeBudget(
    openai_timeout=float(DEFAULTS[Variable.OPENAI_TIMEOUT_SECONDS]),
    send_timeout=float(DEFAULTS[Variable.TWILIO_TIMEOUT_SECONDS]),
    lookup_delays=(),
)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What became of one context object.

    Attributes:
        assistant: The assistant's id.
        model: Its model; empty if the definition is not known.
        outcome: `sent`, `held` or `failed`: what the function would do with it.
        reason: Why it would be held or fails; empty if it would be sent.
        text: The free text; empty for variables.
        variables: The variables; empty for free text.
        checks: The assistant's checks, each with `name`, `passed` and `problems`.
        problems: Why the draft was held, as an operator would read it; they may quote the draft.
        first_problem: What was wrong with a first answer that was asked for again; may be empty.
        answers: Number of the AI's answers, which are billed.
        usage: Their tokens.
        dollars: Their price; None if the model's is not known.
        seconds: Duration.
        kept: Ids of what OpenAI still stores, because it could not be deleted.
    """

    assistant: str
    model: str
    outcome: str
    reason: str = ""
    text: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    checks: Sequence[Mapping[str, Any]] = ()
    problems: Sequence[str] = ()
    first_problem: str = ""
    answers: int = 0
    usage: Usage = NOTHING_BILLED
    dollars: float | None = None
    seconds: float = 0.0
    kept: Sequence[str] = ()

    @property
    def is_sent(self) -> bool:
        """Whether the function would send it."""
        return self.outcome == "sent"

    @property
    def content(self) -> str:
        """The text, or all variables joined by a line break."""
        return self.text or "\n".join(self.variables.values())


@dataclass(frozen=True)
class Drafter:
    """Drafts messages of one channel.

    Attributes:
        parse: Parses a context object as the function does.
        parts: The channel's parts.
        secrets: The key, and the tenants' credentials.
        generator: The AI.
        times: The timeouts of the flow.
        check_mode: Whether a failed check holds a draft.
    """

    parse: ContextParser
    parts: ChannelParts
    secrets: Secrets
    generator: TextGenerator
    times: TimeBudget = DEFAULT_TIMES
    check_mode: CheckMode = CheckMode.ENFORCE

    @classmethod
    def of_deployment(cls, deployment: Deployment) -> Drafter:
        """Use the secrets and the configuration of a deployed channel."""
        settings = deployment.settings
        return cls(
            deployment.parse,
            deployment.parts,
            NamedSecrets.of(deployment),
            OpenAIProcessor(settings.openai_base_url, settings.assistants_base_url),
            settings.times,
            settings.draft_checks,
        )

    @classmethod
    def of_key(cls, channel: str, parts: ChannelParts, api_key: str, base_url: str) -> Drafter:
        """Use one API key for every tenant, and the function's default configuration.

        No tenant's secret is read: it is assumed to name a template where the assistant has
        variables, and none where it has none.
        """
        parse = ContextParser.for_channel(channel, parts, lambda _: True)
        return cls(parse, parts, _OneKey(api_key), OpenAIProcessor(base_url))

    def draft(self, body: str) -> Draft:
        """Have the AI write the message of a context object, and check it.

        Raises:
            RejectedContext: It is not valid.
        """
        context = self.parse(body)
        generator, checkpoints = _Accounted(self.generator, self.secrets, context), _Checkpoints()
        composer = build_composer(
            self.parts,
            leases=checkpoints,
            secrets=self.secrets,
            generator=generator,
            metrics=_NoMetrics(),
            times=self.times,
            check_mode=self.check_mode,
        )
        started = time.monotonic()
        try:
            draft = self._draft(context, composer, body)
        finally:
            generator.delete_stored()
        return replace(
            draft,
            first_problem=checkpoints.problem,
            answers=generator.answers,
            usage=generator.usage,
            dollars=answer_dollars(
                draft.model, generator.usage.prompt_tokens, generator.usage.completion_tokens
            ),
            seconds=round(time.monotonic() - started, 2),
            kept=tuple(generator.stored),
        )

    def _draft(self, context: ContextObject, composer: MessageComposer, body: str) -> Draft:
        now = time.time()
        deadline = now + 2 * self.times.max_message_duration  # of both requests
        delivery = Delivery("preview", "", body, 1, deadline, sent_at=now)
        lease = Lease(context.key, delivery.owner, 1, deadline, now)
        named = Draft(assistant=context.assistant_id, model="", outcome="failed")
        try:
            definition = context.assistant or composer.assistants.find(context.assistant_id)
            named = replace(named, model=definition.model if definition else "")
            template = self._template(context, definition)
            found = composer.compose(delivery, context, lease, template, lambda: None)
        except ProcessingError as error:
            return replace(named, reason=str(error))
        if not isinstance(found, HeldDraft):
            return _checked(replace(named, outcome="sent"), found, context, definition)
        held = replace(named, outcome="held", reason=found.summary, problems=found.problems)
        return _checked(held, found.answer, context, definition)

    def _template(
        self, context: ContextObject, definition: AssistantDefinition | None
    ) -> str | None:
        if isinstance(self.secrets, _OneKey):
            has_variables = bool(definition and definition.variables)
            return ASSUMED_TEMPLATE if has_variables else None
        return self.secrets.credentials(context.credentials_reference).template_id


def _checked(
    draft: Draft, answer: Answer, context: ContextObject, definition: AssistantDefinition | None
) -> Draft:
    """Return a draft with its content and the results of its checks."""
    recorded = {each["name"]: each["passed"] for each in answer.written_by.get("checks", ())}
    checks = {name: {"name": name, "passed": ok, "problems": []} for name, ok in recorded.items()}
    if definition and (answer.text or answer.variables):
        checks |= {
            result.name: {
                "name": result.name,
                "passed": not result.problems,
                "problems": list(result.problems),
            }
            for result in check_texts(answer, context, definition)
        }
    return replace(
        draft, text=answer.text, variables=dict(answer.variables), checks=list(checks.values())
    )


class _OneKey:
    """Implements the port `Secrets` with one key, and without any tenant's credentials."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def openai_key(self, reference: str, *, fresh: bool = False) -> str:  # noqa: ARG002 - the port's
        """Return the key."""
        return self._api_key

    def credentials(self, reference: str, *, fresh: bool = False) -> Credentials:  # noqa: ARG002 - the port's
        """Return no credentials: nothing is sent."""
        return NoCredentials()


class _Checkpoints:
    """Implements `Checkpoints` without a table.

    Attributes:
        problem: What was wrong with the first answer; empty if nothing was.
    """

    def __init__(self) -> None:
        self.problem = ""

    def reject_draft(self, lease: Lease, rejected: RejectedDraft) -> None:  # noqa: ARG002 - the port's
        """Keep what was wrong."""
        self.problem = rejected.problem

    def checkpoint_answer(self, lease: Lease, answer: Answer) -> None:
        """Do nothing: no later delivery uses it."""

    def clear_discarded(self, lease: Lease) -> None:
        """Do nothing: the ids are not stored."""


class _NoMetrics:
    """Implements the port `Metrics` without CloudWatch."""

    def record(self, values: Mapping[Any, float]) -> None:
        """Do nothing."""

    def publish(self, counts: Mapping[Any, int], failures: Mapping[Any, int]) -> None:
        """Do nothing."""


class _Accounted:
    """Implements the port `TextGenerator`, and counts what is billed and what OpenAI stores.

    Attributes:
        answers: Number of answers.
        usage: Their tokens.
        stored: Ids of what OpenAI stores of them.
    """

    def __init__(self, generator: TextGenerator, secrets: Secrets, context: ContextObject) -> None:
        self._generator = generator
        self._secrets = secrets
        self._context = context
        self.answers = 0
        self.usage = NOTHING_BILLED
        self.stored: dict[str, None] = {}

    def generate(self, api_key: str, request: GenerationRequest) -> Answer:
        """Write one message."""
        try:
            answer = self._generator.generate(api_key, request)
        except ProcessingError as error:
            self.stored |= dict.fromkeys(error.openai_ids)
            if isinstance(error, InvalidAnswer) and error.answer:
                self._account(error.answer)
            raise
        self._account(answer)
        return answer

    def moderate(self, api_key: str, texts: Sequence[str], timeout: float) -> tuple[str, ...]:
        """Return the categories for which moderation flags a text."""
        return self._generator.moderate(api_key, texts, timeout)

    def discard(self, api_key: str, engine: Engine, openai_id: str, timeout: float) -> bool:
        """Delete a conversation, response or thread; return False if it may still exist."""
        is_deleted = self._generator.discard(api_key, engine, openai_id, timeout)
        if is_deleted:
            self.stored.pop(openai_id, None)
        return is_deleted

    def delete_stored(self) -> None:
        """Delete what OpenAI stores of the answers, as far as OpenAI answers."""
        with suppress(ProcessingError):
            key = self._secrets.openai_key(self._context.api_key_reference)
            for openai_id in tuple(self.stored):
                self.discard(key, self._context.engine, openai_id, DISCARD_SECONDS)

    def _account(self, answer: Answer) -> None:
        self.answers += 1
        self.usage += answer.usage
        self.stored |= dict.fromkeys(answer.openai_ids)
