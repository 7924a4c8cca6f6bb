"""What is left of an erasure: a receipt that names nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lambda_src.services import conversation_item as item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ops.register_writes import Signature


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, or would be; it names nobody.

    Attributes:
        at: When, ISO 8601.
        who: Who erased.
        why: The reason given, such as the number of the person's request.
        conversations: Ids of the records erased.
        threads: Ids of what OpenAI keeps of them; erasing that is left to a person.
        messages: Sids of what Twilio keeps of them; likewise.
        open: Ids of the records that stay until their send is settled or their worker is done.
        removed: Messages removed, by channel and queue.
        in_flight: Messages in somebody's hands, the person's or not, by channel and queue: they
            cannot be looked into, and are refused once they are delivered.
        suppressed: Channels on which a suppression stays.
    """

    at: str
    who: str
    why: str
    conversations: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    in_flight: Mapping[str, int] = field(default_factory=dict)
    suppressed: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left; if not, the same is to be done again once it has settled."""
        return not self.open and not any(self.in_flight.values())


@dataclass(slots=True)
class Progress:
    """How far an erasure has come; it tells the truth at any moment, and so when it is called off.

    Attributes:
        erased: Records that are gone, by what may be shown of them.
        open: Records that stay for now; likewise.
        removed: Messages removed, by channel and queue.
        in_flight: Messages in somebody's hands, by channel and queue.
        suppressed: Channels on which a suppression stays.
    """

    erased: list[Mapping[str, Any]] = field(default_factory=list)
    open: list[Mapping[str, Any]] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, int] = field(default_factory=dict)
    suppressed: list[str] = field(default_factory=list)

    def receipt(self, signature: Signature) -> Receipt:
        """What was done until now."""
        return Receipt(
            at=item.timestamp(signature.at),
            who=signature.who,
            why=signature.why,
            conversations=_named(self.erased, "conversation_id"),
            threads=_named(self.erased, "thread_id"),
            messages=_named(self.erased, "message_sid"),
            open=_named(self.open, "conversation_id"),
            removed=self.removed,
            in_flight=self.in_flight,
            suppressed=tuple(self.suppressed),
        )


def _named(records: Sequence[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    return tuple(str(record[name]) for record in records if record.get(name))
