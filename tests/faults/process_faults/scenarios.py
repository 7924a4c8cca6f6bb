"""The scenarios: the deliveries in which every kind of outside call is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.faults.process_faults.calls import SEND, CallName, Fault

FEW_RECEIVES = 6
"""Fewer than deployed: further deliveries of a finished conversation only repeat its end."""


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """A fault that belongs to the scenario.

    Attributes:
        delivery: In which delivery it happens, from 1.
        call: The name of the call.
        fault: What goes wrong.
        onward: Whether it also happens at every later call of that kind in the delivery.
    """

    delivery: int
    call: str
    fault: Fault
    onward: bool = False

    def matches(self, call: CallName) -> bool:
        """Return whether it happens at a call of its delivery."""
        own = CallName.parse(self.call)
        is_later = self.onward and call.kind == own.kind and call.number > own.number
        return call == own or is_later


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a conversation came to the delivery whose calls are examined.

    Attributes:
        name: Its name in cells.
        what: One sentence.
        examined: The delivery whose calls are boundaries, from 1.
        script: The faults on the way there, and those in it.
        focus: The calls to examine, by kind or name, so that none is examined twice; empty for all.
        is_template: Whether the tenant sends by a template; else free text.
        engine: OpenAI's interface.
        ai_seconds: How long the AI takes.
        max_receive_count: Deliveries before a message goes to the dead-letter queue.
        environment: The function's environment variables that differ from the deployed ones.
        list_lag_requests: How many of Twilio's lists leave a message out.
        is_opted_out: Whether the recipient opted out before.
        has_consent: Whether the recipient agreed; a context object without is refused.
    """

    name: str
    what: str
    examined: int = 1
    script: tuple[ScriptedFault, ...] = ()
    focus: tuple[str, ...] = ()
    is_template: bool = True
    engine: str = "responses"
    ai_seconds: float = 30.0
    max_receive_count: int = FEW_RECEIVES
    environment: Mapping[str, str] = field(default_factory=dict)
    list_lag_requests: int = 0
    is_opted_out: bool = False
    has_consent: bool = True

    @property
    def is_refused(self) -> bool:
        """Whether what is asked for cannot be sent, however often it is tried."""
        is_barred = self.is_opted_out or not self.has_consent
        return is_barred or any(scripted.fault is Fault.REFUSED for scripted in self.script)

    def scripted(self, delivery: int, call: CallName) -> Fault | None:
        """Return the fault that belongs to a call of a delivery."""
        faults = (s.fault for s in self.script if s.delivery == delivery and s.matches(call))
        return next(faults, None)

    def is_examined(self, call: CallName) -> bool:
        """Return whether a call of the examined delivery is a boundary."""
        if self.scripted(self.examined, call):
            return False
        return not self.focus or call.kind in self.focus or str(call) in self.focus


WRITE = "dynamodb.UpdateItem"
CLAIM = "dynamodb.TransactWriteItems"
CHANGE_VISIBILITY = "sqs.ChangeMessageVisibilityBatch"
SECRET = "secretsmanager.GetSecretValue"
_AI_FAILS = ScriptedFault(1, "openai.POST responses#1", Fault.SERVER_ERROR)
_SENT_ANSWER_LOST = ScriptedFault(1, f"{SEND}#1", Fault.ANSWER_LOST)
_NOT_SENT_ERROR = ScriptedFault(1, f"{SEND}#1", Fault.SERVER_ERROR)

_ALL = (
    Scenario(
        "first contact",
        "a template message; the AI writes for longer than a heartbeat interval",
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
        "OpenAI refuses the key, which is read again",
        script=(ScriptedFault(1, "openai.POST conversations#1", Fault.CREDENTIALS),),
        focus=(f"{SECRET}#3", "openai.POST conversations#2"),
    ),
    Scenario(
        "credentials renewed",
        "Twilio refuses the credentials, which are read again after the intent",
        script=(ScriptedFault(1, f"{SEND}#1", Fault.CREDENTIALS),),
        focus=(f"{SECRET}#3", f"{SEND}#2", f"{WRITE}#3"),
    ),
    Scenario(
        "failure recorded",
        "the AI fails: the failure is recorded, and the message becomes visible later",
        script=(_AI_FAILS,),
        focus=(f"{WRITE}#1", f"{CHANGE_VISIBILITY}#2"),
    ),
    Scenario(
        "retried",
        "the delivery after one that failed",
        script=(_AI_FAILS,),
        examined=2,
        focus=(CLAIM, "sqs.GetQueueAttributes"),
    ),
    Scenario(
        "answer stored",
        "the AI took so long that its answer can only be sent by the next delivery",
        focus=(f"{WRITE}#6", f"{WRITE}#7", f"{CHANGE_VISIBILITY}#7"),
        ai_seconds=149.0,
    ),
    Scenario(
        "stored answer used",
        "the delivery after an answer was stored",
        examined=2,
        focus=(f"{CLAIM}#2", SECRET, f"{WRITE}#1", SEND),
        ai_seconds=149.0,
    ),
    Scenario(
        "reconciled",
        "a message that Twilio accepted without its sender knowing is found at Twilio",
        script=(_SENT_ANSWER_LOST,),
        examined=2,
    ),
    Scenario(
        "reconciled, free text",
        "the same for free text",
        script=(_SENT_ANSWER_LOST,),
        examined=2,
        focus=("twilio.GET Messages", f"{WRITE}#1"),
        is_template=False,
    ),
    Scenario(
        "list lags",
        "Twilio's list does not show the accepted message at first",
        script=(_SENT_ANSWER_LOST,),
        examined=2,
        focus=(f"{WRITE}#1", f"{CHANGE_VISIBILITY}#2"),
        list_lag_requests=1,
    ),
    Scenario(
        "declared unknown",
        "a message that was not accepted, without its sender knowing, is declared unknown",
        script=(_NOT_SENT_ERROR,),
        examined=3,
        environment={"SETTLE_DELAYS_SECONDS": "15"},
    ),
    Scenario(
        "declared unknown, yet sent",
        "a message that Twilio accepted without its sender knowing is not listed in time",
        script=(_SENT_ANSWER_LOST,),
        examined=3,
        focus=(f"{WRITE}#1", f"{CHANGE_VISIBILITY}#2"),
        list_lag_requests=9,
        environment={"SETTLE_DELAYS_SECONDS": "15"},
    ),
    Scenario(
        "refused by Twilio",
        "Twilio refuses the message for good",
        script=(ScriptedFault(1, f"{SEND}#1", Fault.REFUSED),),
        focus=(f"{CLAIM}#2", f"{CHANGE_VISIBILITY}#3"),
    ),
    Scenario(
        "refused context",
        "a context object without consent",
        focus=(CLAIM, f"{CHANGE_VISIBILITY}#2"),
        has_consent=False,
    ),
    Scenario(
        "opted out",
        "a recipient who opted out before is refused when the lease is acquired",
        focus=(CLAIM, f"{CHANGE_VISIBILITY}#2"),
        is_opted_out=True,
    ),
    Scenario(
        "last delivery",
        "the last delivery that the queue allows, after which no send may begin",
        script=(_AI_FAILS,),
        examined=2,
        focus=("sqs.GetQueueAttributes", f"{WRITE}#1", f"{CHANGE_VISIBILITY}#2"),
        max_receive_count=2,
    ),
    Scenario(
        "not recorded",
        "a message is sent, and the table is unavailable until the function ends",
        script=(ScriptedFault(1, f"{WRITE}#4", Fault.SERVER_ERROR, onward=True),),
        focus=(f"{CHANGE_VISIBILITY}#4",),
        ai_seconds=145.0,
        environment={"HEARTBEAT_INTERVAL_SECONDS": "60"},
    ),
)

SCENARIOS: Mapping[str, Scenario] = MappingProxyType({scenario.name: scenario for scenario in _ALL})
"""Every scenario by its name."""
