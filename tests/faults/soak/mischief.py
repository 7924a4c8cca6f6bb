"""What goes wrong at random with the vendors and with the table while a soak lasts."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from local.dynamodb_gateway import Refusal
from local.stand_ins import Fault, Match, RecordedCall, Rule
from tests.faults.soak.plan import Fate, Plan
from tests.faults.soak.traces import conversation_asked_about, conversation_sent

if TYPE_CHECKING:
    from local.dynamodb_gateway import DynamoDBGateway
    from local.vendors import StandIns

Chances = Mapping[Fault, float]
"""How likely each fault befalls a request."""

TOO_LATE = 6.0
"""Seconds after which no sender waits any longer."""

SENDS: Chances = {
    Fault.error(429, 20429, retry_after=1): 0.03,
    Fault.error(500, 20500): 0.03,
    Fault.error(500, 20500, effect_applied=True): 0.03,
    Fault.error(503, 20503): 0.02,
    Fault.error(400, 63010): 0.01,
    Fault.error(401, 20003): 0.01,
    Fault.slow(1.2): 0.06,
    Fault.slow(1.2, effect_applied=True): 0.06,
    Fault.slow(TOO_LATE): 0.02,
    Fault.slow(TOO_LATE, effect_applied=True): 0.02,
    Fault.hang(): 0.02,
    Fault.hang(effect_applied=True): 0.02,
    Fault.reset(): 0.02,
    Fault.reset(effect_applied=True): 0.02,
    Fault.empty(): 0.02,
    Fault.not_json(): 0.01,
    Fault.not_json(effect_applied=True): 0.01,
    Fault.undelivered(): 0.01,
}
LISTS: Chances = {
    Fault.error(429, 20429, retry_after=1): 0.02,
    Fault.error(500, 20500): 0.03,
    Fault.error(401, 20003): 0.01,
    Fault.slow(1.0): 0.05,
    Fault.hang(): 0.02,
    Fault.reset(): 0.02,
    Fault.empty(): 0.01,
    Fault.not_json(): 0.01,
}
WRITING: Chances = {
    Fault.error(429, "rate_limit_exceeded", retry_after=1): 0.01,
    Fault.error(429, "insufficient_quota"): 0.003,
    Fault.error(401, "invalid_api_key"): 0.01,
    Fault.error(404, "model_not_found"): 0.003,
    Fault.error(500, "server_error"): 0.02,
    Fault.error(503, "service_unavailable"): 0.01,
    Fault.slow(1.5): 0.1,
    Fault.slow(TOO_LATE): 0.01,
    Fault.hang(): 0.01,
    Fault.reset(): 0.02,
    Fault.empty(): 0.01,
    Fault.not_json(): 0.01,
    Fault.failed(): 0.01,
    Fault.thinking(2.0): 0.1,
}
TABLE: Chances = {
    Refusal.THROTTLED.fault(): 0.05,
    Refusal.SERVER_ERROR.fault(): 0.03,
    Refusal.SERVER_ERROR.fault(effect_applied=True): 0.03,
    Refusal.ACCESS_DENIED.fault(): 0.01,
    Fault.slow(0.5): 0.05,
    Fault.slow(0.5, effect_applied=True): 0.05,
    Fault.slow(TOO_LATE, effect_applied=True): 0.005,
    Fault.hang(): 0.005,
    Fault.reset(): 0.02,
    Fault.reset(effect_applied=True): 0.03,
}

_MESSAGES = "/2010-04-01/Accounts/*/Messages.json"
_SENDS = Match(method="POST", paths=(_MESSAGES,))
_LISTS = Match(method="GET", paths=(_MESSAGES,))
_ANSWERS = Match(method="POST", paths=("/v1/responses",))


class Mischief:
    """Makes the stand-ins and the table fail, and lets them be again.

    Args:
        vendors: the stand-ins.
        gateway: in front of the table.
        plan: whose seed decides, and whose refused conversations are refused throughout.
    """

    def __init__(self, vendors: "StandIns", gateway: "DynamoDBGateway", plan: Plan) -> None:
        self._vendors = vendors
        self._gateway = gateway
        self._plan = plan

    def begin(self) -> None:
        """Let requests fail at random from now on."""
        self._refuse()
        seed = 1000 * self._plan.seed
        twilio, openai = self._vendors.twilio, self._vendors.openai
        for number, (fault, chance) in enumerate(SENDS.items()):
            twilio.add_rule(_rule(fault, chance, seed + number, _SENDS))
        for number, (fault, chance) in enumerate(LISTS.items()):
            twilio.add_rule(_rule(fault, chance, seed + 100 + number, _LISTS))
        for number, (fault, chance) in enumerate(WRITING.items()):
            match = openai.usual_match(fault)
            openai.add_rule(_rule(fault, chance, seed + 200 + number, match))
        for number, (fault, chance) in enumerate(TABLE.items()):
            self._gateway.add_rule(_rule(fault, chance, seed + 300 + number, Match()))

    def end(self) -> None:
        """Let everything pass, save for what is refused for good."""
        self._vendors.twilio.clear_faults()
        self._vendors.openai.clear_faults()
        self._gateway.allow_everything()
        self._refuse()

    def counts(self) -> dict[str, int]:
        """How many requests have failed by order, by who failed and how."""
        counts: dict[str, int] = {}
        for name in _names(self):
            counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items()))

    def _refuse(self) -> None:
        unreachable, unwritten = self._ids(Fate.UNREACHABLE), self._ids(Fate.AI_REFUSES)
        self._vendors.twilio.add_rule(
            Rule(
                fault=Fault.error(400, 21211),
                match=Match(
                    method="POST", predicate=lambda call: conversation_sent(call) in unreachable
                ),
                times=None,
            )
        )
        self._vendors.openai.add_rule(
            Rule(
                fault=Fault.refusal(),
                match=Match(
                    method=_ANSWERS.method,
                    paths=_ANSWERS.paths,
                    predicate=lambda call: conversation_asked_about(call) in unwritten,
                ),
                times=None,
            )
        )

    def _ids(self, fate: Fate) -> frozenset[str]:
        return frozenset(c.conversation_id for c in self._plan.conversations if c.fate is fate)

    def calls(self) -> Iterator[tuple[str, RecordedCall]]:
        """Every request so far, with the name of who was asked."""
        parts: dict[str, Any] = {
            "OpenAI": self._vendors.openai,
            "Twilio": self._vendors.twilio,
            "DynamoDB": self._gateway,
        }
        for name, part in parts.items():
            for call in part.requests:
                yield name, call


def _names(mischief: Mischief) -> Iterator[str]:
    for name, call in mischief.calls():
        if call.fault:
            status = f" {call.status}" if call.status and call.fault == "error" else ""
            yield f"{name}: {call.fault}{status}"


def _rule(fault: Fault, chance: float, seed: int, match: Match) -> Rule:
    return Rule(fault=fault, match=match, times=None, probability=chance, seed=seed)
