"""What all containers of a schedule share: time, table, queue, vendors, and the witness."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lambda_src.core.errors import ProcessingError
from lambda_src.core.ledger import ConditionFailed
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.sqs import Sqs
from tests.faults.schedules.tasks import Author
from tests.faults.schedules.troubles import OUTAGES, Trouble
from tests.faults.schedules.vendors import Ai, Vendor
from tests.faults.schedules.witness import Witness
from tests.unit.fakes.assembly import LEASE
from tests.unit.fakes.clock import FakeClock
from tests.unit.fakes.conversations import FakeConversations
from tests.unit.fakes.secrets import FakeSecrets
from tests.unit.fakes.world import API_KEY, TWILIO, store_defaults
from tests.unit.fakes.writer import FakeAssistants

SHORT_LEASE, SLOW_WRITING = 40.0, 50.0


class Late(NamedTuple):
    """A call's effect that is still to come, although its caller gave up."""

    call: str
    author: Author | None
    effect: Callable[[], Any]


@dataclass
class Surroundings:
    """The world around the containers; `down` says how many calls a service leaves unanswered."""

    clock: FakeClock = field(default_factory=FakeClock)
    table: FakeConversations = field(default_factory=FakeConversations)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    assistants: FakeAssistants = field(default_factory=FakeAssistants)
    late: list[Late] = field(default_factory=list)
    is_ai_slow: bool = False
    down: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.sqs = Sqs(self.clock)
        self.vendor = Vendor(self.clock, TWILIO.auth_token)
        self.ai = Ai(API_KEY)
        self.witness = Witness(self.table)
        store_defaults(self.secrets, self.assistants)

    @property
    def lease(self) -> float:
        """Seconds that a claim lasts; where the AI is slow, fewer than it takes."""
        return SHORT_LEASE if self.is_ai_slow else LEASE

    @property
    def ai_seconds(self) -> float:
        """Seconds that the AI takes."""
        return SLOW_WRITING if self.is_ai_slow else 0.0

    def outage(self, call: str) -> Trouble | None:
        """What a call meets if its service is down, for one call less from now on."""
        service = call.partition(".")[0]
        if not self.down[service] or call not in OUTAGES:
            return None
        self.down[service] -= 1
        return OUTAGES[call]

    def arrive(self, late: Late) -> None:
        """Let a late effect happen, whatever its answer is to nobody."""
        self.late.remove(late)
        with suppress(ConditionFailed, ProcessingError):
            late.effect()
            is_send = late.call == "sender.send"
            self.witness.reached.add(Reached.ACCEPTED_LATE if is_send else Reached.APPLIED_LATE)
