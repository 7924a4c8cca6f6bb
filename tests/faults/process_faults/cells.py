"""The cells: one fault at one outside call of a scenario, with one kind of redelivery."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from tests.faults.process_faults.calls import (
    FREEZES,
    SEND,
    VENDORS,
    CallName,
    Fault,
    Redelivery,
    is_applicable,
)
from tests.faults.rules import Evidence, Rule

SEPARATOR = " / "
STAGES = (Redelivery.ALONE, Redelivery.REDELIVERED, Redelivery.LATE)
Boundary = tuple[str, CallName]
"""A scenario, and one outside call of the delivery that it examines."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a conversation came to the delivery whose calls are examined."""

    examined: int = 1  # the delivery whose calls are boundaries
    script: tuple[str, Fault] | None = None  # a fault at a call of the first delivery
    is_lasting: bool = False  # whether it also happens at every later call of that kind
    focus: tuple[str, ...] = ()  # the calls to examine, by kind or name; empty for all
    is_template: bool = True  # whether the tenant sends by a template; else free text
    engine: str = "responses"  # OpenAI's interface
    ai_seconds: float = 30.0
    # Before the dead-letter queue. Fewer than deployed: further deliveries of a finished
    # conversation only repeat its end.
    max_receive_count: int = 6
    environment: Mapping[str, str] = field(default_factory=dict)  # what differs from the deployed
    list_lag_requests: int = 0  # how many of Twilio's lists leave a message out
    is_opted_out: bool = False
    has_consent: bool = True  # a context object without it is refused
    flawed_drafts: int = 0  # how many of the AI's first answers contain an invented amount

    @property
    def is_refused(self) -> bool:
        """Whether what is asked for cannot be sent, however often it is tried."""
        is_barred = self.is_opted_out or not self.has_consent
        return is_barred or bool(self.script and self.script[1] is Fault.REFUSED)

    def scripted(self, delivery: int, call: CallName) -> Fault | None:
        """Return the fault that belongs to a call of a delivery."""
        if delivery != 1 or self.script is None:
            return None
        name, fault = self.script
        own = CallName.parse(name)
        is_later = self.is_lasting and call.kind == own.kind and call.number > own.number
        return fault if call == own or is_later else None

    def is_examined(self, call: CallName) -> bool:
        """Return whether a call of the examined delivery is a boundary."""
        if self.scripted(self.examined, call):
            return False
        return not self.focus or call.kind in self.focus or str(call) in self.focus


WRITE = "dynamodb.UpdateItem"
ACQUIRE = "dynamodb.TransactWriteItems"
CHANGE_VISIBILITY = "sqs.ChangeMessageVisibilityBatch"
SECRET = "secretsmanager.GetSecretValue"
ATTRIBUTES = "sqs.GetQueueAttributes"
HAND_OFF = "sqs.SendMessage"
AI_FAILS = ("openai.POST responses#1", Fault.SERVER_ERROR)
ANSWER_LOST = (f"{SEND}#1", Fault.ANSWER_LOST)
ONE_LOOKUP = {"SETTLE_DELAYS_SECONDS": "15"}

SCENARIOS = {
    # A template message; the AI writes for longer than a heartbeat interval.
    "first contact": Scenario(),
    # A message whose text the AI writes.
    "free text": Scenario(focus=(f"{WRITE}#2", SEND, f"{WRITE}#3"), is_template=False),
    # The AI writes for longer than an unrenewed lease lasts.
    "long work": Scenario(focus=(f"{WRITE}#1", f"{WRITE}#4"), ai_seconds=100.0),
    # The engine of the threads and runs.
    "threads and runs": Scenario(
        focus=(
            *("openai.POST threads", "openai.POST runs"),
            "openai.GET runs",
            "openai.GET messages",
        ),
        engine="assistants",
        ai_seconds=0.0,
    ),
    # OpenAI refuses the key, which is read again.
    "key renewed": Scenario(
        script=("openai.POST conversations#1", Fault.CREDENTIALS),
        focus=(f"{SECRET}#3", "openai.POST conversations#2"),
    ),
    # Twilio refuses the credentials, which are read again after the intent.
    "credentials renewed": Scenario(
        script=(f"{SEND}#1", Fault.CREDENTIALS), focus=(f"{SECRET}#3", f"{SEND}#2", f"{WRITE}#3")
    ),
    # The AI fails: the failure is recorded, and the message becomes visible later.
    "failure recorded": Scenario(script=AI_FAILS, focus=(f"{WRITE}#1", f"{CHANGE_VISIBILITY}#2")),
    # The delivery after one that failed.
    "retried": Scenario(examined=2, script=AI_FAILS, focus=(ACQUIRE, ATTRIBUTES)),
    # The AI took so long that its answer can only be sent by the next delivery.
    "answer stored": Scenario(
        focus=(f"{WRITE}#6", f"{WRITE}#7", f"{CHANGE_VISIBILITY}#7"), ai_seconds=149.0
    ),
    # The delivery after an answer was stored.
    "stored answer used": Scenario(
        examined=2, focus=(f"{ACQUIRE}#2", SECRET, f"{WRITE}#1", SEND), ai_seconds=149.0
    ),
    # A message that Twilio accepted without its sender knowing is found at Twilio.
    "reconciled": Scenario(examined=2, script=ANSWER_LOST),
    # The same for free text.
    "reconciled, free text": Scenario(
        examined=2,
        script=ANSWER_LOST,
        focus=("twilio.GET Messages", f"{WRITE}#1"),
        is_template=False,
    ),
    # Twilio's list does not show the accepted message at first.
    "list lags": Scenario(
        examined=2,
        script=ANSWER_LOST,
        focus=(f"{WRITE}#1", f"{CHANGE_VISIBILITY}#2"),
        list_lag_requests=1,
    ),
    # A message that was not accepted, without its sender knowing, is declared unknown.
    "declared unknown": Scenario(
        examined=3, script=(f"{SEND}#1", Fault.SERVER_ERROR), environment=ONE_LOOKUP
    ),
    # A message that Twilio accepted without its sender knowing is not listed in time.
    "declared unknown, yet sent": Scenario(
        examined=3,
        script=ANSWER_LOST,
        focus=(f"{WRITE}#1", f"{CHANGE_VISIBILITY}#2"),
        list_lag_requests=9,
        environment=ONE_LOOKUP,
    ),
    # Twilio refuses the message for good.
    "refused by Twilio": Scenario(
        script=(f"{SEND}#1", Fault.REFUSED), focus=(f"{ACQUIRE}#2", f"{CHANGE_VISIBILITY}#3")
    ),
    # The AI's first answer fails the checks, and a second one is asked for.
    "draft rewritten": Scenario(
        focus=(
            *(f"{WRITE}#2", "openai.GET items", "openai.DELETE conversations"),
            *(f"{WRITE}#3", "openai.POST responses#2", f"{WRITE}#5"),
        ),
        flawed_drafts=1,
    ),
    # The second answer fails them, too: the draft is held until the operator approves it.
    "draft held": Scenario(focus=(f"{WRITE}#5", HAND_OFF), flawed_drafts=2),
    # A context object without consent.
    "refused context": Scenario(focus=(ACQUIRE, f"{CHANGE_VISIBILITY}#2"), has_consent=False),
    # A recipient who opted out before is refused when the lease is acquired.
    "opted out": Scenario(focus=(ACQUIRE, f"{CHANGE_VISIBILITY}#2"), is_opted_out=True),
    # The last delivery that the queue allows, after which no send may begin.
    "last delivery": Scenario(
        examined=2,
        script=AI_FAILS,
        focus=(ATTRIBUTES, f"{WRITE}#1", f"{CHANGE_VISIBILITY}#2"),
        max_receive_count=2,
    ),
    # A message is sent, and the table is unavailable until the function ends.
    "not recorded": Scenario(
        script=(f"{WRITE}#4", Fault.SERVER_ERROR),
        is_lasting=True,
        focus=(f"{CHANGE_VISIBILITY}#4",),
        ai_seconds=145.0,
        environment={"HEARTBEAT_INTERVAL_SECONDS": "60"},
    ),
}
"""Every scenario by its name."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault at a boundary, with a kind of redelivery; its text names it."""

    scenario: str
    call: CallName
    fault: Fault
    redelivery: Redelivery

    def __str__(self) -> str:
        return SEPARATOR.join((self.scenario, str(self.call), self.fault, self.redelivery))

    @classmethod
    def parse(cls, name: str) -> "Cell":
        """Return the cell of that name.

        Raises:
            ValueError: A part of the name is unknown.
        """
        scenario, call, fault, redelivery = name.split(SEPARATOR)
        if scenario not in SCENARIOS:
            raise ValueError(f"scenario: expected one of {', '.join(SCENARIOS)}")
        return cls(scenario, CallName.parse(call), Fault(fault), Redelivery(redelivery))

    @property
    def setup(self) -> Scenario:
        return SCENARIOS[self.scenario]

    @property
    def covered(self) -> tuple["Cell", ...]:
        """The cells that one run of this one tests, itself last.

        A message is first alone, then redelivered, and a duplicate comes late. A frozen worker is
        alone only if no other worker gets the message meanwhile.
        """
        if self.redelivery is Redelivery.CONCURRENT:
            return (self,)
        stages = STAGES[: STAGES.index(self.redelivery) + 1]
        if self.fault in FREEZES and self.redelivery is not Redelivery.ALONE:
            stages = stages[1:]
        return tuple(replace(self, redelivery=stage) for stage in stages)

    @property
    def is_refused(self) -> bool:
        """Whether what is asked for cannot be sent, however often it is tried."""
        is_vendors = self.call.service in VENDORS and not self.call.is_read
        return self.setup.is_refused or (self.fault is Fault.REFUSED and is_vendors)


def cells_to_run(boundaries: Iterable[Boundary]) -> Iterator[Cell]:
    """Yield cells that together cover every fault at each boundary, with each redelivery."""
    for scenario, call in boundaries:
        for fault in Fault:
            alone = [Redelivery.ALONE] if fault in FREEZES else []
            for redelivery in (*alone, Redelivery.LATE, Redelivery.CONCURRENT):
                if is_applicable(fault, call):
                    yield Cell(scenario, call, fault, redelivery)


@dataclass(frozen=True, slots=True)
class CellResult:
    cell: Cell
    broken: tuple[Rule, ...] = ()  # at any moment, in their order
    is_unresolved: bool = False  # whether it ended unresolved before the operator acted
    operator_actions: int = 0
    evidence: Evidence | None = None  # the last
    is_reached: bool = False  # whether the fault happened: the handler made that call
    error: str = ""  # what prevented the run: a defect of this driver
    trace: tuple[str, ...] = field(default=(), repr=False)  # every call, line by line
    log: tuple[str, ...] = field(default=(), repr=False)  # the workers', line by line

    @property
    def outcome(self) -> str:
        """What became of it, in a few words."""
        if self.error or self.evidence is None or not self.is_reached:
            return self.error or "not reached"
        if self.broken:
            return "breaks " + ", ".join(rule.split(".")[0] for rule in self.broken)
        status = self.evidence.status or "no record"
        return f"unresolved: {status}" if self.is_unresolved else status

    @property
    def is_kept(self) -> bool:
        """Whether it was run, and broke nothing."""
        return self.is_reached and not (self.error or self.broken or self.is_unresolved)
