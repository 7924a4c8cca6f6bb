"""Everything around the flow, put together of fakes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lambda_src.core.batch import BatchHandler
from lambda_src.core.claims import Claims
from lambda_src.core.context import AssistantDefinition, ContextObject, RecordKey, VariableRule
from lambda_src.core.delivery import Delivery
from lambda_src.core.drafting import Drafting
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.flow import MessageFlow, Outcome
from lambda_src.core.ports import TwilioCredentials
from lambda_src.core.putting_down import PuttingDown
from lambda_src.core.receives import Receives
from lambda_src.core.sending import Sending
from lambda_src.core.settlement import Settlement
from lambda_src.core.timing import Timing
from tests.unit import contexts
from tests.unit.fakes.clock import START, FakeClock
from tests.unit.fakes.conversations import FakeConversations, Record
from tests.unit.fakes.queue import FakeHeartbeat, FakeQueue
from tests.unit.fakes.secrets import FakeSecrets
from tests.unit.fakes.sender import FakeSender
from tests.unit.fakes.writer import FakeAssistants, FakeWriter

LEASE = 90.0
"""Seconds a claim lasts unrenewed."""
FUNCTION_TIMEOUT = 300.0
"""Seconds that Lambda gives the function, from the test's beginning."""
KEY = RecordKey(contexts.RECIPIENT, contexts.CONVERSATION)
"""The key of the record of a context object that nobody changed."""
TWILIO = TwilioCredentials("AC1", "token-1", "HX1")
FIRST_CONTACT = AssistantDefinition(
    model="model-of-the-day",
    instructions="Write a greeting.",
    variables={"1": VariableRule("The first name.", 60), "2": VariableRule("The message.")},
)


@dataclass
class World:
    """The fakes, in a state in which a valid context object is sent."""

    clock: FakeClock = field(default_factory=FakeClock)
    conversations: FakeConversations = field(default_factory=FakeConversations)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    assistants: FakeAssistants = field(default_factory=FakeAssistants)
    journal: list[str] = field(default_factory=list)
    timing: Timing = field(default_factory=lambda: Timing(60.0, 10.0, (15.0, 60.0, 300.0)))
    function_ends_at: float = START + FUNCTION_TIMEOUT

    def __post_init__(self) -> None:
        self.writer = FakeWriter("sk-1")
        self.sender = FakeSender(self.clock, TWILIO.auth_token)
        self.queue = FakeQueue(self.journal)
        self.heartbeat = FakeHeartbeat(self.journal)
        self.secrets.openai_keys.stored[contexts.OPENAI_SECRET] = "sk-1"
        self.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = TWILIO
        self.assistants.definitions["first_contact"] = FIRST_CONTACT
        self.receives = Receives(self.queue)
        self.settlement = Settlement(
            self.conversations,
            self.secrets,
            self.sender,
            self.receives,
            self.final_record,
            self.clock,
            self.timing.settle_delays,
        )

    @property
    def claims(self) -> Claims:
        """The ledger's writes around a claim."""
        return Claims(self.conversations, self.clock, LEASE)

    @property
    def drafting(self) -> Drafting:
        """What lets the AI write."""
        return Drafting(self.secrets, self.assistants, self.writer, self.timing)

    @property
    def final_record(self) -> FinalRecord:
        """The final write, which waits on the fake clock."""
        return FinalRecord(self.conversations, self.clock.sleep)

    @property
    def putting_down(self) -> PuttingDown:
        """What records failures."""
        return PuttingDown(self.conversations, self.clock, self.clock.sleep)

    @property
    def sending(self) -> Sending:
        """The intent, and the send that follows it."""
        return Sending(self.claims, self.secrets, self.sender, self.clock, self.timing)

    @property
    def flow(self) -> MessageFlow:
        """A message's way."""
        return MessageFlow(
            claims=self.claims,
            drafting=self.drafting,
            sending=self.sending,
            final_record=self.final_record,
            putting_down=self.putting_down,
            settlement=self.settlement,
            receives=self.receives,
            clock=self.clock,
            timing=self.timing,
        )

    def batch(self, max_concurrency: int = 10) -> BatchHandler:
        """The handler of whole batches."""
        return BatchHandler(
            queue=self.queue,
            heartbeat=self.heartbeat.keeping,
            parse=contexts.parser,
            flow=self.flow,
            max_concurrency=max_concurrency,
            backoff_base=10.0,
        )

    def time_left(self) -> float:
        """Seconds until Lambda ends the function."""
        return self.function_ends_at - self.clock()

    def begin_invocation(self) -> None:
        """Let Lambda invoke the function anew, with all of its time."""
        self.function_ends_at = self.clock() + FUNCTION_TIMEOUT

    def delivery(
        self, body: str = "", *, message_id: str = "message-1", receive_count: int = 1
    ) -> Delivery:
        """A message out of the queue, which belongs to nobody yet."""
        owner = f"{message_id}-{receive_count}"
        handle = f"handle-of-{owner}"
        return Delivery(message_id, handle, body, receive_count, owner, self.time_left)

    def process(self, context: ContextObject | None = None, *, receive_count: int = 1) -> Outcome:
        """Bring one delivery of a context object to its end."""
        delivery = self.delivery(receive_count=receive_count)
        return self.flow.process(
            delivery, context or contexts.parse(contexts.valid()), self.heartbeat
        )

    @property
    def record(self) -> Record:
        """The record of a context object that nobody changed."""
        return self.conversations.records[KEY]

    def while_writing(self, happens: Callable[[], object]) -> None:
        """Let something happen while the AI writes."""
        self.writer.during = lambda _: happens()
