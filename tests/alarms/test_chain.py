"""The alarm chain, executed from log line or metric to e-mail, and with every single fault."""

import pytest

from tests.alarms.cases import ALL_CASES, ON_CALL, AlarmCase
from tests.alarms.chain import AlarmChain, count_matches, filters_by_name
from tests.alarms.mutations import MUTATIONS, Mutation, Target
from tests.alarms.situations import EVENT_SITUATIONS, SITUATIONS, Lines
from tests.infra.synthesis import DELIVERY, Synthesized, synthesize

ALL_SITUATIONS = {**SITUATIONS, **EVENT_SITUATIONS}
THRESHOLD_OF_ONE = "with a threshold of one, the sum reaches it exactly when the maximum does"
FILLED = "its expression treats missing data as 0"
ANY_VALUE = "any positive value counts, whatever the statistic"
SAME_BEHAVIOUR = {
    **{
        (subject, "alarm: statistic Maximum"): THRESHOLD_OF_ONE
        for subject in (
            *("FinalDbUpdateFailure", "SendOutcomeUnknown", "VendorAccountRefused"),
            *("HeartbeatFailure", "FunctionErrors", "FunctionThrottles"),
            *("SecondMessageSuspected", "CallbackContradictsRecord"),
            *("EventsWorkerErrors", "EventsWorkerThrottles"),
            *("ReceiverErrors", "ReceiverThrottles", "SchedulerErrors"),
        )
    },
    **{
        (subject, "alarm: statistic Sum"): THRESHOLD_OF_ONE
        for subject in (
            *("DeadLetters", "EventsDeadLetters", "ModelsRetiring", "TemplatesNotApproved"),
        )
    },
    ("NoMessageSent", "math: Maximum of MessageSentCount"): THRESHOLD_OF_ONE,
    ("NoCallbacks", "math: Maximum of Invocations"): THRESHOLD_OF_ONE,
    ("NoMessageSent", "math: Average of NumberOfMessagesSent"): ANY_VALUE,
    ("NoMessageSent", "math: Maximum of NumberOfMessagesSent"): ANY_VALUE,
    **{
        (subject, f"alarm: missing data {value}"): FILLED
        for subject in ("NoMessageSent", "NoCallbacks", "UndeliveredShare")
        for value in ("breaching", "ignore", "missing")
    },
}
"""Mutations that no scenario can detect, with the reason; the alarm's properties show them."""


@pytest.mark.parametrize("has_key", [False, True], ids=["no key", "a key"])
@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.subject)
def test_alarm(chain: AlarmChain, lines: Lines, case: AlarmCase, *, has_key: bool) -> None:
    """Each scenario leads to the right states and e-mails, and the properties are as required."""
    deployed = chain if has_key else AlarmChain.of(synthesize(alert_email=ON_CALL, **DELIVERY))
    assert [] == list(case.failures(deployed, lines))
    assert [] == list(case.rule_differences(deployed))


def test_alarms_are_complete(chain: AlarmChain) -> None:
    """The template has exactly the required alarms."""
    alarms = chain.all("AWS::CloudWatch::Alarm")
    assert {case.alarm for case in ALL_CASES} == {alarm.properties["AlarmName"] for alarm in alarms}


@pytest.mark.parametrize(
    ("case", "mutation"),
    [(case, mutation) for case in ALL_CASES for mutation in MUTATIONS if mutation.concerns(case)],
    ids=lambda value: getattr(value, "subject", None) or value.name,
)
def test_mutation_is_detected(
    chain: AlarmChain, lines: Lines, case: AlarmCase, mutation: Mutation
) -> None:
    """A scenario detects the fault; where none can, it truly changes nothing but the properties."""
    target = Target(case, chain.copy(), dict(lines))
    mutation.apply(target)
    failures = case.failures(target.chain, target.lines)
    if (case.subject, mutation.name) in SAME_BEHAVIOUR:
        assert any(case.rule_differences(target.chain))
        assert [] == list(failures)
    else:
        assert any(failures)


@pytest.mark.parametrize("situation", ALL_SITUATIONS)
def test_lines_match_their_filters(lines: Lines, deployed: Synthesized, situation: str) -> None:
    """A situation's log lines are counted by exactly the expected filters."""
    assert ALL_SITUATIONS[situation].counted == count_matches(deployed, lines[situation])


def test_every_filter_has_a_situation(deployed: Synthesized) -> None:
    """For every filter of the template there is a situation that it counts."""
    counted = {name for situation in ALL_SITUATIONS.values() for name in situation.counted}
    assert counted == set(filters_by_name(deployed))
