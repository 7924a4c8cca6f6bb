"""The stories in which a call may stand, so that every kind of outside call is a boundary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.faults.grid.calls import CallName
from tests.faults.grid.faults import Fault

FEW_RECEIVES = 6
"""Fewer than are deployed: once a conversation has ended, more only say so again."""


@dataclass(frozen=True, slots=True)
class Given:
    """A fault that belongs to the story.

    Attributes:
        delivery: In which delivery it happens, from 1.
        call: The call that it befalls.
        fault: What goes wrong.
        onward: Whether it befalls every later call of that kind in the delivery as well.
    """

    delivery: int
    call: str
    fault: Fault
    onward: bool = False

    def means(self, call: CallName) -> bool:
        """Whether it befalls a call of its delivery."""
        given = CallName.parse(self.call)
        is_later = self.onward and call.kind == given.kind and call.number > given.number
        return call == given or is_later


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a conversation came to the delivery whose calls are examined, and what is special in it.

    Attributes:
        name: How cells call it.
        what: In one sentence.
        examined: The delivery whose calls are boundaries, from 1.
        story: The faults on the way there, and those in it.
        focus: The calls to examine, by kind or name, so that none is examined twice for nothing;
            empty for all of them.
        is_template: Whether the tenant sends by a template; else free text.
        engine: OpenAI's interface.
        ai_seconds: How long the AI takes.
        max_receive_count: Deliveries before a message becomes a dead letter.
        environment: The function's environment variables that are not as deployed.
        list_lag_calls: How many of Twilio's lists leave a message out.
        is_opted_out: Whether the recipient opted out before.
        has_consent: Whether the recipient agreed; a context object without is refused.
    """

    name: str
    what: str
    examined: int = 1
    story: tuple[Given, ...] = ()
    focus: tuple[str, ...] = ()
    is_template: bool = True
    engine: str = "responses"
    ai_seconds: float = 30.0
    max_receive_count: int = FEW_RECEIVES
    environment: Mapping[str, str] = field(default_factory=dict)
    list_lag_calls: int = 0
    is_opted_out: bool = False
    has_consent: bool = True

    @property
    def is_refused(self) -> bool:
        """Whether what is asked for cannot be sent, however often it is tried."""
        is_barred = self.is_opted_out or not self.has_consent
        return is_barred or any(g.fault is Fault.REFUSED for g in self.story)

    def given(self, delivery: int, call: CallName) -> Fault | None:
        """The fault that the story has for a call of a delivery."""
        faults = (g.fault for g in self.story if g.delivery == delivery and g.means(call))
        return next(faults, None)

    def is_examined(self, call: CallName) -> bool:
        """Whether a call of the examined delivery is a boundary of this scenario."""
        if self.given(self.examined, call):
            return False
        return not self.focus or call.kind in self.focus or str(call) in self.focus


SEND = "twilio.POST Messages"
WRITE = "dynamodb.UpdateItem"
CLAIM = "dynamodb.TransactWriteItems"
SHOW_AGAIN = "sqs.ChangeMessageVisibilityBatch"
SECRET = "secretsmanager.GetSecretValue"
_AI_FAILS = Given(1, "openai.POST responses#1", Fault.SERVER_ERROR)
_SENT_UNHEARD = Given(1, f"{SEND}#1", Fault.ANSWER_LOST)
_NOT_SENT_UNHEARD = Given(1, f"{SEND}#1", Fault.SERVER_ERROR)

_ALL = (
    Scenario(
        "first contact",
        "a message by a template; the AI writes for longer than a beat",
    ),
    Scenario(
        "free text",
        "a message whose text the AI writes",
        focus=(f"{WRITE}#2", SEND, f"{WRITE}#3"),
        is_template=False,
    ),
    Scenario(
        "long work",
        "the AI writes for longer than an unrenewed lease lasts",
        focus=(f"{WRITE}#1", f"{WRITE}#4"),
        ai_seconds=100.0,
    ),
    Scenario(
        "threads and runs",
        "the engine of the threads and runs",
        focus=("openai.POST threads", "openai.POST runs", "openai.GET runs", "openai.GET messages"),
        engine="assistants",
        ai_seconds=0.0,
    ),
    Scenario(
        "key renewed",
        "OpenAI refuses the key, which is read anew",
        story=(Given(1, "openai.POST conversations#1", Fault.CREDENTIALS),),
        focus=(f"{SECRET}#3", "openai.POST conversations#2"),
    ),
    Scenario(
        "credentials renewed",
        "Twilio refuses the credentials, which are read anew after the intent",
        story=(Given(1, f"{SEND}#1", Fault.CREDENTIALS),),
        focus=(f"{SECRET}#3", f"{SEND}#2", f"{WRITE}#3"),
    ),
    Scenario(
        "put down",
        "the AI fails: the record says why, and the message is shown again later",
        story=(_AI_FAILS,),
        focus=(f"{WRITE}#1", f"{SHOW_AGAIN}#2"),
    ),
    Scenario(
        "taken up again",
        "the delivery after one that failed",
        story=(_AI_FAILS,),
        examined=2,
        focus=(CLAIM, "sqs.GetQueueAttributes"),
    ),
    Scenario(
        "answer kept",
        "the AI took so long that its answer cannot be sent this time",
        focus=(f"{WRITE}#6", f"{WRITE}#7", f"{SHOW_AGAIN}#7"),
        ai_seconds=149.0,
    ),
    Scenario(
        "answer used",
        "the delivery after an answer was kept",
        examined=2,
        focus=(f"{CLAIM}#2", SECRET, f"{WRITE}#1", SEND),
        ai_seconds=149.0,
    ),
    Scenario(
        "settled",
        "a message whose sender never heard that it was accepted is found at Twilio",
        story=(_SENT_UNHEARD,),
        examined=2,
    ),
    Scenario(
        "settled, free text",
        "the same for free text",
        story=(_SENT_UNHEARD,),
        examined=2,
        focus=("twilio.GET Messages", f"{WRITE}#1"),
        is_template=False,
    ),
    Scenario(
        "list lags",
        "Twilio's list does not show the accepted message at first",
        story=(_SENT_UNHEARD,),
        examined=2,
        focus=(f"{WRITE}#1", f"{SHOW_AGAIN}#2"),
        list_lag_calls=1,
    ),
    Scenario(
        "given up",
        "a message that was never accepted, and whose sender cannot know, is declared unknown",
        story=(_NOT_SENT_UNHEARD,),
        examined=3,
        environment={"SETTLE_DELAYS_SECONDS": "15"},
    ),
    Scenario(
        "given up, yet sent",
        "a message whose sender never heard that it was accepted is not listed in time",
        story=(_SENT_UNHEARD,),
        examined=3,
        focus=(f"{WRITE}#1", f"{SHOW_AGAIN}#2"),
        list_lag_calls=9,
        environment={"SETTLE_DELAYS_SECONDS": "15"},
    ),
    Scenario(
        "refused by Twilio",
        "Twilio refuses the message for good",
        story=(Given(1, f"{SEND}#1", Fault.REFUSED),),
        focus=(f"{CLAIM}#2", f"{SHOW_AGAIN}#3"),
    ),
    Scenario(
        "refused context",
        "a context object without consent",
        focus=(CLAIM, f"{SHOW_AGAIN}#2"),
        has_consent=False,
    ),
    Scenario(
        "opted out",
        "a recipient who opted out before is turned away at the claim",
        focus=(CLAIM, f"{SHOW_AGAIN}#2"),
        is_opted_out=True,
    ),
    Scenario(
        "last delivery",
        "the queue delivers the message for the last time, and no send may follow",
        story=(_AI_FAILS,),
        examined=2,
        focus=("sqs.GetQueueAttributes", f"{WRITE}#1", f"{SHOW_AGAIN}#2"),
        max_receive_count=2,
    ),
    Scenario(
        "not recorded",
        "a message is sent, and the table is out of reach until the function ends",
        story=(Given(1, f"{WRITE}#4", Fault.SERVER_ERROR, onward=True),),
        focus=(f"{SHOW_AGAIN}#4",),
        ai_seconds=145.0,
        environment={"HEARTBEAT_INTERVAL_SECONDS": "60"},
    ),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType({scenario.name: scenario for scenario in _ALL})
"""Every scenario by its name."""
