"""Held drafts: what a record has of one, the message that it is for, and the three decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lambda_src.core import (
    ASSISTANTS_DIRECTORY,
    REJECTED_BY_OPERATOR,
    Answer,
    Engine,
    Failure,
    OpenWork,
    RejectedContext,
    Status,
    Step,
)
from lambda_src.core.drafts.checks import check_texts
from lambda_src.core.drafts.rebuild import first_asked_at, rebuild_context
from lambda_src.core.drafts.texts import validate_output
from lambda_src.core.errors import InvalidAnswer
from lambda_src.services.dynamodb import items
from lambda_src.services.dynamodb_service import OpenWorkTable
from lambda_src.utils.assistant_definitions import AssistantFiles
from ops import conversations
from ops.audit import ACTIONS
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from lambda_src.core import AssistantDefinition, ContextObject, HeldDraft, TextRules
    from lambda_src.core.drafts.checks import CheckResult
    from lambda_src.services.dynamodb import Update
    from ops.audit import AuditContext
    from ops.conversations import ConversationRecord, ConversationRepository
    from ops.deployment import Deployment

INPUT_FIELDS = (
    "company_name",
    "project_name",
    "company_rep",
    "recipient_first_name",
    "recipient_last_name",
    "project_data",
    "message_guidance",
)
"""The record attributes that the AI was given."""


class Decision(StrEnum):
    """What an operator decides about a draft."""

    APPROVE = "approved"
    EDIT = "edited and approved"
    REJECT = "rejected"

    def describe(self, draft_id: str) -> str:
        """Return the decision as text, for the question and the audit entry."""
        return f"draft {draft_id} {self}"


@dataclass(frozen=True)
class Review:
    """A conversation whose draft waits for a decision, as it was read.

    Attributes:
        record: Its record.
        draft: Its draft.
    """

    record: ConversationRecord
    draft: HeldDraft

    @classmethod
    def of(cls, record: ConversationRecord) -> Review:
        """Accept a record whose draft is held.

        Raises:
            OperatorError: It has none, or another program has changed it.
        """
        if not is_held(record):
            raise OperatorError(no_draft(record))
        draft = items.to_held_draft(record.attributes)
        if draft is None:
            raise OperatorError("the record lacks parts of its draft: another program changed it")
        return cls(record, draft)

    def approve(self, answer: Answer, channel: str, audit: AuditContext) -> Update:
        """Return the update that releases the conversation with an approved answer."""
        approval = {"approved_by": audit.who, "approved_at": items.timestamp(audit.at)}
        approved = replace(answer, written_by={**answer.written_by, **approval})
        key = self.record.key
        return conversations.approve_draft(self.draft, key, channel, approved, audit.at)

    def reject(self, audit: AuditContext) -> Update:
        """Return the update that ends the conversation without a message."""
        detail = "the draft was rejected; operator_actions says by whom and why"
        failure = Failure(Status.FAILED, REJECTED_BY_OPERATOR, Step.HOLD, detail, audit.at)
        return conversations.reject_draft(self.draft, self.record.key, failure)


@dataclass(frozen=True)
class DraftRequest:
    """The message that a draft is for, rebuilt from its record.

    Attributes:
        body: The context object as JSON.
        asked_at: When it was first asked for, in epoch milliseconds.
        context: The context object.
        definition: The assistant's; None for one that an Assistants-compatible server stores.
        rules: The channel's rules for texts.
    """

    body: str
    asked_at: int
    context: ContextObject
    definition: AssistantDefinition | None
    rules: TextRules

    @classmethod
    def of(cls, record: ConversationRecord, deployment: Deployment) -> DraftRequest:
        """Rebuild the context object of a record.

        Raises:
            OperatorError: The deployed function would reject it, or has no such assistant.
            ProcessingError: The record or the assistant's definition is incomplete.
        """
        body, parts = rebuild_context(record.attributes), deployment.parts
        try:
            context = deployment.parse(body)
        except RejectedContext as rejected:
            raise OperatorError(f"the function would reject the message: {rejected}") from None
        find = AssistantFiles(parts.assistants or ASSISTANTS_DIRECTORY).find
        definition = context.assistant or find(context.assistant_id)
        if definition is None and context.engine is Engine.RESPONSES:
            raise OperatorError(
                f"no definition of the assistant {context.assistant_id}: this version of the tool"
                " must be that of the deployed function"
            )
        asked_at = first_asked_at(record.attributes)
        return cls(body, asked_at, context, definition, parts.text_rules)

    def as_it_is(self, draft: Answer) -> Answer:
        """Return a draft that may be approved unchanged.

        Raises:
            OperatorError: It is empty, or does not satisfy the present rules for texts.
        """
        if not self._validate(draft).has_same_content(draft):
            raise OperatorError(
                "the draft was written for other rules or another definition: approvals edit"
            )
        # A draft that is held again may be a text that an operator wrote.
        return replace(draft, written_by={"edited": False, **draft.written_by})

    def edit(
        self, draft: Answer, text: str | None, variables: Mapping[str, str]
    ) -> tuple[Answer, list[str]]:
        """Return an operator's text in place of a draft, and what the assistant's checks find.

        It is in no conversation at OpenAI. Moderation is not asked.

        Args:
            draft: The draft.
            text: The new text, for an assistant without variables.
            variables: The new values by name, for another one; the others stay.

        Raises:
            OperatorError: The text is missing, is not of the assistant's kind, or does not satisfy
                the channel's rules.
        """
        defined = list(self.definition.variables) if self.definition else []
        if defined:
            _check_variables(defined, text, variables)
        elif variables or text is None:
            raise OperatorError("the assistant writes one text: give --text or --file")
        values = {name: variables.get(name, draft.variables.get(name, "")) for name in defined}
        edited = replace(draft, thread_id="", message_id="", text=text or "", variables=values)
        valid = self._validate(replace(edited, checked=""))
        results = self._check(valid)
        checks = [{"name": each.name, "passed": not each.problems} for each in results]
        written_by = {**draft.written_by, "checks": checks, "edited": True}
        problems = [f"the text {problem}" for each in results for problem in each.problems]
        return replace(valid, written_by=written_by), problems

    def _check(self, answer: Answer) -> list[CheckResult]:
        if self.definition is None:
            return []
        return check_texts(answer, self.context, self.definition)

    @property
    def is_moderated(self) -> bool:
        """Whether the assistant's checks include moderation."""
        return bool(self.definition and self.definition.checks.moderation)

    def _validate(self, answer: Answer) -> Answer:
        try:
            return validate_output(answer, self.definition, self.rules)
        except InvalidAnswer as invalid:
            raise OperatorError(f"this cannot be sent: {invalid.detail}") from None


def _check_variables(defined: Sequence[str], text: str | None, given: Iterable[str]) -> None:
    names = ", ".join(defined)
    if text is not None or not given:
        raise OperatorError(f"the assistant has the variables {names}: give --variable NAME=TEXT")
    if unknown := sorted(set(given).difference(defined)):
        raise OperatorError(f"--variable: expected one of {names}, found {', '.join(unknown)}")


@dataclass(frozen=True, slots=True)
class PastDecision:
    """A decision about a draft, as the record's audit trail has it."""

    who: str
    what: str
    at: str

    def __str__(self) -> str:
        return f"{self.what} by {self.who} at {self.at}"


def past_decision(record: ConversationRecord, draft_id: str = "") -> PastDecision | None:
    """Return the last decision about a draft; None if there is none.

    Args:
        record: The conversation's record.
        draft_id: The draft; empty for any.
    """
    entries = record.attributes.get(ACTIONS)
    for entry in reversed(entries if isinstance(entries, list) else []):
        found = PastDecision(*(str(entry.get(name, "")) for name in ("who", "what", "at")))
        _, _, id_ = found.what.partition("draft ")
        decided, _, decision = id_.partition(" ")
        if decision in set(Decision) and draft_id in {"", decided}:
            return found
    return None


def is_held(record: ConversationRecord) -> bool:
    """Return whether a draft waits for a decision."""
    return bool(record.ledger and record.ledger.status is Status.AWAITING_APPROVAL)


def waits_for_queue(record: ConversationRecord) -> bool:
    """Return whether an approved message is neither sent nor processed now."""
    kind = str(record.attributes.get("open_work", "")).split("#")[1:2]
    return record.status == Status.RETRY and kind == [OpenWork.APPROVED]


def no_draft(record: ConversationRecord) -> str:
    """Return why there is nothing to decide."""
    decided = past_decision(record)
    return f"no draft waits for a decision: the record is {record.status}" + (
        f", {decided}" if decided else ""
    )


def held_records(
    deployment: Deployment, repository: ConversationRepository, now: float
) -> Iterator[tuple[float, ConversationRecord]]:
    """Yield the records whose drafts wait, each with its time in epoch seconds; the oldest first.

    The index may be behind the table by a moment, so each record is read.
    """
    settings = deployment.settings
    index = OpenWorkTable(deployment.aws.dynamodb, settings.conversations_table, deployment.channel)
    for since, key in index.due(OpenWork.HELD, now):
        record = repository.read(key)
        if record and is_held(record):
            yield since, record


def input_of(record: ConversationRecord) -> dict[str, Any]:
    """Return what the AI was given."""
    attributes = record.attributes
    return {name: attributes[name] for name in INPUT_FIELDS if attributes.get(name)}
