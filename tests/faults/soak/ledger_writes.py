"""The ledger's writes as they reached the table, read from what the gateway forwarded."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from lambda_src.core.contract import Status
from lambda_src.services.recipient_marks import NAMESPACE as MARKS
from local.channel import RecordKey
from local.dynamodb_gateway import Forwarded

_STATUS = re.compile(r"\bconversation_status = (:\w+)")


@dataclass(frozen=True)
class Write:
    """One write that was applied.

    Attributes:
        at: when, in seconds since the epoch.
        status: the conversation's status from then on; empty where it stays as it is.
        owner: of the lease that the write asks for or makes; empty where whoever may write.
        has_answer: whether it stores the AI's answer.
        from_lapsed: whether it takes the conversation over from a worker whose lease had lapsed.
    """

    at: float
    status: str = ""
    owner: str = ""
    has_answer: bool = False
    from_lapsed: bool = False

    @property
    def is_claim(self) -> bool:
        """Whether its owner has the conversation from then on."""
        return bool(self.owner) and self.status == Status.PROCESSING


def applied_writes(forwarded: Iterable[Forwarded]) -> dict[RecordKey, list[Write]]:
    """Every write that was applied, by the record that it is about, in their order."""
    writes: dict[RecordKey, list[Write]] = {}
    for call in forwarded:
        if call.status == HTTPStatus.OK:
            for key, write in _writes(call):
                writes.setdefault(key, []).append(write)
    return writes


def asked_again(writes: Iterable[Write], asks: int) -> int:
    """How often the AI was asked by workers that had found its answer stored.

    A worker that claimed the conversation before may ask once, also when it stood still meanwhile
    and another was faster: it cannot know.

    Args:
        writes: those of one conversation, in their order.
        asks: how often the AI was asked for its text, by whomever.
    """
    claims = 0
    for write in writes:
        if write.has_answer:
            return max(0, asks - claims)
        claims += write.is_claim
    return 0


def acts_without_lease(writes: Iterable[Write], sends: Iterable[float]) -> tuple[str, ...]:
    """What workers wrote or sent although the conversation was another's, or not to be sent.

    Args:
        writes: those of one conversation, in their order.
        sends: when the vendor was asked to send its message.
    """
    written = list(writes)
    acts = [f"wrote {write.status or 'without a status'}" for write in _fenced_off(written)]
    acts += [f"sent while {status or 'unclaimed'}" for status in _sent_while(written, sends)]
    return tuple(acts)


def _fenced_off(writes: Iterable[Write]) -> Iterator[Write]:
    holder = ""
    for write in writes:
        if write.is_claim:
            holder = write.owner
        elif write.owner and write.owner != holder:
            yield write


def _sent_while(writes: list[Write], sends: Iterable[float]) -> Iterator[str]:
    for at in sends:
        before = [write.status for write in writes if write.status and write.at <= at]
        if not before or before[-1] != Status.SENDING:
            yield before[-1] if before else ""


def _writes(call: Forwarded) -> Iterator[tuple[RecordKey, Write]]:
    if call.operation == "UpdateItem":
        yield _key(call.call["Key"]), _update(call.at, call.call)
    for part in call.call.get("TransactItems", ()):
        if "Put" in part:
            yield _key(part["Put"]["Item"]), _put(call.at, part["Put"]["Item"])
        elif "Update" in part and _is_of_a_conversation(part["Update"]):
            yield _key(part["Update"]["Key"]), _update(call.at, part["Update"])


def _is_of_a_conversation(update: Mapping[str, Any]) -> bool:
    return not _key(update["Key"]).primary_channel.startswith(MARKS)


def _put(at: float, item: Mapping[str, Any]) -> Write:
    return Write(at, _text(item, "conversation_status"), _text(item, "lease_owner"))


def _update(at: float, call: Mapping[str, Any]) -> Write:
    values = call.get("ExpressionAttributeValues", {})
    changed = _STATUS.search(call["UpdateExpression"])
    return Write(
        at=at,
        status=_text(values, changed[1]) if changed else "",
        owner=_text(values, ":owner"),
        has_answer=":answer" in values,
        from_lapsed=_text(values, ":seen_status") == Status.PROCESSING,
    )


def _key(attributes: Mapping[str, Any]) -> RecordKey:
    return RecordKey(_text(attributes, "primary_channel"), _text(attributes, "conversation_id"))


def _text(attributes: Mapping[str, Any], name: str) -> str:
    return str(attributes.get(name, {}).get("S", ""))
