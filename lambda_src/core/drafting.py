"""From a claimed context object to an answer that is fit to be sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from lambda_src.core import timing
from lambda_src.core.context import AssistantDefinition, ContextObject, Engine
from lambda_src.core.errors import CredentialsRefused, PermanentFailure, Step, TransientFailure
from lambda_src.core.message import Answer, Assignment, check_mode, fit
from lambda_src.core.ports import Assistants, Credentials, Secrets, Writer
from lambda_src.core.text_rules import TWILIO, TextRules
from lambda_src.core.timing import Timing
from lambda_src.core.unforeseen import under_way

LONGEST_METADATA = 512
"""Characters that OpenAI takes as the value of one metadata key."""

S = TypeVar("S")
T = TypeVar("T")


def with_secret(read: Callable[[bool], S], use: Callable[[S], T]) -> T:
    """Use a secret, and once more with a fresh one when the vendor refuses it.

    Args:
        read: Gives the secret; called with True for one freshly read.
        use: What the secret is for.
    """
    try:
        return use(read(False))  # noqa: FBT003 - the callable has no other argument
    except CredentialsRefused:
        return use(read(True))  # noqa: FBT003 - the callable has no other argument


@dataclass(frozen=True, slots=True)
class Drafting:
    """Lets the AI write, once; an answer that was kept is used again.

    `text_rules` are the channel's.
    """

    secrets: Secrets
    assistants: Assistants
    writer: Writer
    timing: Timing
    text_rules: TextRules = TWILIO

    @under_way(Step.AI)
    def draft(
        self,
        context: ContextObject,
        kept: Answer | None,
        time_left: Callable[[], float],
        check_lease: Callable[[], None],
    ) -> tuple[Credentials, Answer]:
        """Return the credentials to send with, and the answer to send.

        Args:
            context: What the message is about.
            kept: The answer of an earlier delivery.
            time_left: Seconds until Lambda ends the function.
            check_lease: Raises if the conversation may be another worker's, whose answer is not
                to be paid for again.

        Raises:
            LeaseLost: From `check_lease`.
            PermanentFailure: A secret, the assistant or the answer is not fit.
            TransientFailure: A vendor did not answer or refuses the account, or time is short.
        """
        with under_way(Step.SECRETS):
            credentials = self.secrets.credentials(context.credentials_reference)
        if kept:
            check_mode(has_variables=bool(kept.variables), template_sid=credentials.template_sid)
            return credentials, kept
        definition = self._definition(context)
        has_variables = bool(definition and definition.variables)
        check_mode(has_variables=has_variables, template_sid=credentials.template_sid)
        answer = self._write(context, definition, time_left, check_lease)
        return credentials, fit(answer, definition, self.text_rules)

    def _definition(self, context: ContextObject) -> AssistantDefinition | None:
        definition = context.assistant or self.assistants.find(context.assistant_id)
        if definition is None and context.engine is Engine.RESPONSES:
            raise PermanentFailure("assistant_unknown", Step.AI, "no definition of that id")
        return definition

    def _write(
        self,
        context: ContextObject,
        definition: AssistantDefinition | None,
        time_left: Callable[[], float],
        check_lease: Callable[[], None],
    ) -> Answer:
        def write(api_key: str) -> Answer:
            # Each try has the time that is left once its key is read.
            check_lease()
            return self.writer.write(api_key, self._assignment(context, definition, time_left()))

        @under_way(Step.SECRETS)
        def api_key(fresh: bool) -> str:  # noqa: FBT001 - as it is called with
            return self.secrets.openai_key(context.api_key_reference, fresh=fresh)

        return with_secret(api_key, write)

    def _assignment(
        self, context: ContextObject, definition: AssistantDefinition | None, time_left: float
    ) -> Assignment:
        timeout = self.timing.ai_timeout(time_left)
        if timeout < timing.LEAST_AI_SECONDS:
            raise TransientFailure("out_of_time", Step.AI, again_in=0)
        return Assignment(
            engine=context.engine,
            assistant_id=context.assistant_id,
            definition=definition,
            briefing=context.briefing,
            metadata={
                "conversation_id": context.key.conversation_id[:LONGEST_METADATA],
                "request_id": context.request_id[:LONGEST_METADATA],
            },
            timeout=timeout,
        )
