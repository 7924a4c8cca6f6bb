"""Everything around the flow, put together of fakes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lambda_src.core.context import AssistantDefinition, ContextObject, RecordKey, VariableRule
from lambda_src.core.delivery import Delivery
from lambda_src.core.flow import Outcome
from lambda_src.core.timing import Timing
from lambda_src.services.secret_forms import TwilioCredentials
from tests.unit import contexts
from tests.unit.fakes.assembly import LEASE, Assembly
from tests.unit.fakes.clock import START, FakeClock
from tests.unit.fakes.conversations import FakeConversations, Record
from tests.unit.fakes.queue import FakeHeartbeat, FakeQueue
from tests.unit.fakes.secrets import FakeSecrets
from tests.unit.fakes.sender import FakeSender
from tests.unit.fakes.writer import FakeAssistants, FakeWriter

__all__ = ["LEASE", "World"]

FUNCTION_TIMEOUT = 300.0
"""Seconds that Lambda gives the function, from the test's beginning."""
KEY = RecordKey(contexts.RECIPIENT, contexts.CONVERSATION)
"""The key of the record of a context object that nobody changed."""
API_KEY = "sk-1"
TWILIO = TwilioCredentials("AC1", "token-1", "HX1")
TIMING = Timing(60.0, 10.0, (15.0, 60.0, 300.0))
FIRST_CONTACT = AssistantDefinition(
    model="model-of-the-day",
    instructions="Write a greeting.",
    variables={"1": VariableRule("The first name.", 60), "2": VariableRule("The message.")},
)


@dataclass
class World(Assembly):
    """The fakes, in a state in which a valid context object is sent."""

    clock: FakeClock = field(default_factory=FakeClock)
    conversations: FakeConversations = field(default_factory=FakeConversations)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    assistants: FakeAssistants = field(default_factory=FakeAssistants)
    journal: list[str] = field(default_factory=list)
    timing: Timing = TIMING
    function_ends_at: float = START + FUNCTION_TIMEOUT

    def __post_init__(self) -> None:
        self.writer: FakeWriter = FakeWriter(API_KEY)
        self.sender: FakeSender = FakeSender(self.clock, TWILIO.auth_token)
        self.queue: FakeQueue = FakeQueue(self.journal)
        self.heartbeat = FakeHeartbeat(self.journal)
        store_defaults(self.secrets, self.assistants)

    def keeping(self, receipt_handles: Mapping[str, str]) -> FakeHeartbeat:
        """The heartbeat, for the messages of one batch."""
        return self.heartbeat.keeping(receipt_handles)

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


def store_defaults(secrets: FakeSecrets, assistants: FakeAssistants) -> None:
    """Store the secrets and the assistant that a context object nobody changed names."""
    secrets.openai_keys.stored[contexts.OPENAI_SECRET] = API_KEY
    secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = TWILIO
    assistants.definitions["first_contact"] = FIRST_CONTACT
