"""Whatever single thing is wrong with an alarm's chain, it is noticed."""

from collections.abc import Callable

import pytest

from tests.alarms.cases import CASES, ON_CALL, Case
from tests.alarms.chain import AlarmChain
from tests.alarms.conftest import Lines
from tests.alarms.deployment import Deployment
from tests.alarms.mutations import MUTATIONS, Mutation, Patient
from tests.infra.synthesis import synthesize

SPOILT = [(case, mutation) for case in CASES for mutation in MUTATIONS if mutation.concerns(case)]


ONE_IS_ENOUGH = "of a threshold of one: the sum reaches it just when the highest does"
FILLED = "its expression fills whatever is missing"
ANY_COUNTS = "any at all is above zero, by whatever statistic"
SAME_BEHAVIOUR = {
    ("FinalDbUpdateFailure", "alarm: statistic Maximum"): ONE_IS_ENOUGH,
    ("SendOutcomeUnknown", "alarm: statistic Maximum"): ONE_IS_ENOUGH,
    ("VendorAccountRefused", "alarm: statistic Maximum"): ONE_IS_ENOUGH,
    ("HeartbeatFailure", "alarm: statistic Maximum"): ONE_IS_ENOUGH,
    ("FunctionErrors", "alarm: statistic Maximum"): ONE_IS_ENOUGH,
    ("FunctionThrottles", "alarm: statistic Maximum"): ONE_IS_ENOUGH,
    ("DeadLetters", "alarm: statistic Sum"): ONE_IS_ENOUGH,
    ("NoMessageSent", "math: Maximum of MessageSentCount"): ONE_IS_ENOUGH,
    ("NoMessageSent", "math: Average of NumberOfMessagesSent"): ANY_COUNTS,
    ("NoMessageSent", "math: Maximum of NumberOfMessagesSent"): ANY_COUNTS,
    ("NoMessageSent", "alarm: missing data breaching"): FILLED,
    ("NoMessageSent", "alarm: missing data ignore"): FILLED,
    ("NoMessageSent", "alarm: missing data missing"): FILLED,
}
"""What no scenario can tell from a sound alarm, and why; how the rule is written tells it."""


@pytest.fixture(scope="module")
def sound() -> Deployment:
    """Return the sample environment with an address to be woken at, and a key of its own."""
    return Deployment.of(synthesize(alert_email=ON_CALL, customer_managed_key=True))


@pytest.fixture
def patient(sound: Deployment, lines: Lines) -> Callable[[Case], Patient]:
    """Return what makes a deployment that may be spoilt."""
    return lambda case: Patient(case, sound.copy(), dict(lines))


@pytest.mark.parametrize(
    ("case", "mutation"),
    SPOILT,
    ids=[f"{case.subject} {mutation.name}" for case, mutation in SPOILT],
)
def test_mutation_is_noticed(
    patient: Callable[[Case], Patient], case: Case, mutation: Mutation
) -> None:
    """An alarm whose chain is spoilt goes through a scenario otherwise than a sound one does."""
    spoilt = patient(case)
    mutation.spoil(spoilt)

    if (case.subject, mutation.name) in SAME_BEHAVIOUR:
        assert any(case.differences(spoilt.deployment))
    else:
        assert any(case.complaints(AlarmChain(spoilt.deployment), spoilt.lines))


@pytest.mark.parametrize(("subject", "name"), SAME_BEHAVIOUR)
def test_exceptions_are_true(patient: Callable[[Case], Patient], subject: str, name: str) -> None:
    """What is said to make no difference makes none."""
    (spoilt,) = [patient(case) for case in CASES if case.subject == subject]
    next(mutation for mutation in MUTATIONS if mutation.name == name).spoil(spoilt)

    assert [] == list(spoilt.case.complaints(AlarmChain(spoilt.deployment), spoilt.lines))
