"""Rules: which requests fail, how often, and in which order."""

import pytest
from pydantic import ValidationError

from local.stand_ins import Fault, Match, OpenAIStandIn, RecordedCall, Rule, TwilioStandIn
from local.stand_ins.fault_plan import FaultPlan

RESET = Fault.reset()
HANG = Fault.hang()


def _call(method: str = "POST", path: str = "/v1/things", body: str = "") -> RecordedCall:
    return RecordedCall(number=0, method=method, path=path, query={}, body={"text": body}, at=0)


def _taken(plan: FaultPlan, count: int) -> list[bool]:
    return [plan.take(_call()) is not None for _ in range(count)]


def test_a_rule_holds_as_often_as_it_says() -> None:
    """A rule for two requests befalls two, and is then forgotten."""
    plan = FaultPlan()
    plan.add(Rule(RESET, times=2))
    assert [True, True, False] == _taken(plan, 3)
    assert [] == plan.pending()


def test_a_rule_without_a_number_holds_for_ever() -> None:
    """A rule without a number befalls every request until it is cleared."""
    plan = FaultPlan()
    plan.add(Rule(RESET, times=None))
    assert [True] * 5 == _taken(plan, 5)
    plan.clear()
    assert [False] == _taken(plan, 1)


def test_rules_can_let_some_requests_pass_first() -> None:
    """A rule that skips two befalls the third request."""
    plan = FaultPlan()
    plan.add(Rule(RESET, skip=2))
    assert [False, False, True, False] == _taken(plan, 4)


def test_the_first_rule_that_fits_wins() -> None:
    """Rules are tried in the order in which they were given."""
    plan = FaultPlan()
    plan.add(Rule(HANG, Match(method="GET")))
    plan.add(Rule(RESET))
    plan.add(Rule(HANG))
    assert [RESET, HANG, None] == [plan.take(_call()) for _ in range(3)]


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(method="POST"), True),
        (Match(method="GET"), False),
        (Match(paths=("/v1/other", "/v1/th*")), True),
        (Match(paths=("/v1",)), False),
        (Match(contains="hällo"), True),
        (Match(contains="bye"), False),
        (Match(predicate=lambda call: call.body["text"] == "hällo"), True),
        (Match(method="POST", predicate=lambda _: False), False),
    ],
)
def test_every_part_of_a_match_must_fit(match: Match, fits: bool) -> None:
    """Method, path, contained text and predicate are all asked for when given."""
    assert fits == match.fits(_call(body="hällo"))


def test_chance_is_repeatable() -> None:
    """Rules with the same seed and probability befall the same requests."""
    runs = []
    for seed in (1, 1, 2):
        plan = FaultPlan()
        plan.add(Rule(RESET, times=None, probability=0.3, seed=seed))
        runs.append(_taken(plan, 200))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert 30 <= sum(runs[0]) <= 90


@pytest.mark.parametrize(
    "options", [{"times": 0}, {"skip": -1}, {"probability": 1.5}, {"fault": "no fault"}]
)
def test_impossible_rules_are_refused(options: dict[str, object]) -> None:
    """A number out of its range or a wrong fault is an error that names the field."""
    with pytest.raises(ValidationError, match=next(iter(options))):
        Rule(**({"fault": RESET} | options))  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"kind": "error"}, "status"),
        ({"kind": "error", "status": 200}, "status"),
        ({"kind": "not_json"}, "status"),
        ({"kind": "not_json", "status": 600}, "status"),
        ({"kind": "slow", "seconds": -1}, "seconds"),
        ({"kind": "error", "status": 429, "retry_after": -1}, "retry_after"),
        ({"kind": "undelivered", "code": "x"}, "code"),
    ],
)
def test_impossible_faults_are_refused(parts: dict[str, object], told: str) -> None:
    """A fault without what its kind needs is an error that names the field."""
    with pytest.raises(ValidationError, match=told):
        Fault(**parts)  # type: ignore[arg-type]  # wrong on purpose


def test_a_fault_of_another_vendor_is_refused() -> None:
    """A stand-in takes no rule for a fault that it could never show."""
    with pytest.raises(ValueError, match="refusal is not one that TwilioStandIn can show"):
        TwilioStandIn(accounts={}).fail_next(Fault.refusal())
    with pytest.raises(ValueError, match="undelivered is not one that OpenAIStandIn can show"):
        OpenAIStandIn(keys=[], models=["m"]).fail_next(Fault.undelivered())
