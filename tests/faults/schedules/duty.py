"""The person on duty, in the world of a schedule."""

from dataclasses import dataclass

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.ledger import ConditionFailed, Entry, SentRecord
from tests.faults.person import Decision, decide, release_mended
from tests.faults.schedules.container import Container
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.surroundings import Surroundings
from tests.faults.schedules.tasks import Moment, Stand
from tests.faults.schedules.twins import listed_sid
from tests.unit.fakes.conversations import FakeConversations, Record

UNDER_WAY = Stand(Moment.BEFORE, "sender.send")
REACHED = {
    Decision.RECORDED: Reached.SETTLED_BY_PERSON,
    Decision.RELEASED: Reached.RELEASED,
}


class FakeRegister:
    """Implements `Register` on the table in memory."""

    def __init__(self, table: FakeConversations) -> None:
        self._table = table

    def read(self, key: RecordKey) -> Entry | None:
        """What the record says, None if there is none."""
        record = self._table.records.get(key)
        return record.entry() if record else None

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid, while `sending` or `send_unknown`."""
        self._table.record_sent(key, sent)

    def release(self, seen: Entry, at: float) -> None:  # noqa: ARG002 - the fake has no such time
        """Make it `retry`, without the old intent and failure, while it is still as seen."""
        if self.read(seen.key) != seen:
            raise ConditionFailed(self.read(seen.key))
        self._table.alter(seen.key, status=Status.RETRY, intent=None, failure=None, looks=0)


@dataclass(frozen=True)
class Duty:
    """Decides truthfully, and only when no request of a sender is under way any more.

    A sender that stands still elsewhere may wake up at any time, and finds out by itself.
    """

    world: Surroundings
    containers: list[Container]

    def decide(self, key: RecordKey) -> bool:
        """Settle what ended `send_unknown`, release what was mended; whether anything was done."""
        record = self.world.table.records.get(key)
        if record is None or record.status not in {Status.SEND_UNKNOWN, Status.FAILED}:
            return False
        self._wait_for_the_sender(record)
        self._wait_for_requests(key)
        self._wait_for_what_is_late(key)
        decision = self._decide(key)
        if decision is not Decision.NOTHING:
            self.world.witness.open(key).alarms.clear()
            self._redrive(key)
        return decision is not Decision.NOTHING

    def _decide(self, key: RecordKey) -> Decision:
        register, now = FakeRegister(self.world.table), self.world.clock()
        dossier = self.world.witness.open(key)
        decision = decide(register, key, listed_sid(key, self.world), now)
        if decision in REACHED:
            self.world.witness.reached.add(REACHED[decision])
        elif dossier.is_mendable and not dossier.is_refused:
            decision = release_mended(register, key, now)
            dossier.is_mendable = False
            self.world.witness.reached.add(Reached.MENDED)
        return decision

    def _wait_for_the_sender(self, record: Record) -> None:
        # Whoever was called needs longer than a sender has from its intent to its request.
        deadline = record.intent.deadline if record.intent else 0.0
        self.world.clock.now = max(self.world.clock.now, deadline)

    def _wait_for_requests(self, key: RecordKey) -> None:
        # A person comes later than the minutes that a function lives at most, and a request in it.
        for container in self.containers:
            stands = {task.at for task in container.tasks if task.is_of(key)}
            if UNDER_WAY in stands:
                self.world.clock.now = max(self.world.clock.now, container.ends_at)
                container.kill()

    def _wait_for_what_is_late(self, key: RecordKey) -> None:
        for late in [late for late in self.world.late if late.author and late.author.key == key]:
            self.world.arrive(late)

    def _redrive(self, key: RecordKey) -> None:
        for message in self.world.sqs.dead:
            if message.key == key:
                self.world.sqs.redrive(message)
                self.world.witness.reached.add(Reached.REDRIVEN)
