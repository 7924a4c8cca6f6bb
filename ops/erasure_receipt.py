"""What is left of an erasure: a receipt that names nobody."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
