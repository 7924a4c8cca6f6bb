"""Rules: which requests fail, how often, and in which order."""

import pytest
from pydantic import ValidationError

from local.fakes import FakeOpenAI, FakeTwilio, Fault, Match, RecordedRequest, Rule
from local.fakes.faults import FaultPlan

RESET, HANG = Fault.reset(), Fault.hang()


def _request(body: str = "") -> RecordedRequest:
    return RecordedRequest(
        number=0, method="POST", path="/v1/things", query={}, body={"text": body}, at=0
    )


def _failures(count: int, *rules: Rule) -> list[bool]:
    plan = FaultPlan()
    for rule in rules:
        plan.add(rule)
    return [plan.next_fault(_request()) is not None for _ in range(count)]


@pytest.mark.parametrize(
    ("rule", "failures"),
    [
        (Rule(RESET, times=2), [True, True, False, False]),
        (Rule(RESET, times=None), [True] * 4),
        (Rule(RESET, skip=2), [False, False, True, False]),
        (Rule(RESET, probability=0), [False] * 4),
    ],
)
def test_a_rule_applies_as_often_as_it_says(rule: Rule, failures: list[bool]) -> None:
    """A rule applies `times` times after `skip` requests; without a number it always applies."""
    assert failures == _failures(4, rule)


def test_the_first_matching_rule_applies() -> None:
    """Rules are tried in the order in which they were added, and used ones are removed."""
    plan = FaultPlan()
    for rule in (Rule(HANG, Match(method="GET")), Rule(RESET), Rule(HANG)):
        plan.add(rule)
    assert [RESET, HANG, None] == [plan.next_fault(_request()) for _ in range(3)]
    assert [HANG] == [rule.fault for rule in plan.pending()]
    plan.clear()
    assert [] == plan.pending()


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        (Match(), True),
        (Match(method="POST"), True),
        (Match(method="GET"), False),
        (Match(paths=("/v1/other", "/v1/th*")), True),
        (Match(paths=("/v1",)), False),
        (Match(contains="hällo"), True),
        (Match(contains="bye"), False),
        (Match(predicate=lambda request: request.body["text"] == "hällo"), True),
        (Match(method="POST", predicate=lambda _: False), False),
    ],
)
def test_every_condition_of_a_match_is_checked(match: Match, matches: bool) -> None:
    """Method, path, contained text and predicate must all hold if they are given."""
    assert matches == match.matches(_request("hällo"))


def test_random_faults_are_repeatable() -> None:
    """Rules with the same seed and probability apply to the same requests."""
    runs = [
        _failures(200, Rule(RESET, times=None, probability=0.3, seed=seed)) for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert 30 <= sum(runs[0]) <= 90


@pytest.mark.parametrize(
    ("values", "field"),
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
def test_invalid_faults_are_rejected(values: dict[str, object], field: str) -> None:
    """A fault without the values of its kind is an error that names the field."""
    with pytest.raises(ValidationError, match=field):
        Fault(**values)  # type: ignore[arg-type]  # invalid on purpose


def test_a_fault_of_another_vendor_is_rejected() -> None:
    """A fake rejects a rule for a fault that it does not support."""
    with pytest.raises(ValueError, match="FakeTwilio does not support refusal"):
        FakeTwilio(accounts={}).fail_next(Fault.refusal())
    with pytest.raises(ValueError, match="FakeOpenAI does not support undelivered"):
        FakeOpenAI(keys=[], models=["m"]).fail_next(Fault.undelivered())
