"""Each alarm, executed: from what happens to the mail that a person reads."""

import pytest

from tests.alarms.cases import CASES, ON_CALL, Case
from tests.alarms.chain import AlarmChain
from tests.alarms.conftest import Lines
from tests.alarms.deployment import Deployment
from tests.infra.synthesis import synthesize


@pytest.fixture(scope="module", params=[False, True], ids=["no key", "a key"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Return the sample environment with an address to be woken at, and perhaps an own key."""
    return Deployment.of(synthesize(alert_email=ON_CALL, customer_managed_key=request.param))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.subject)
def test_alarm(deployment: Deployment, lines: Lines, case: Case) -> None:
    """What happens goes all the way: line or metric, filter, alarm, topic, mail; or nowhere."""
    assert [] == list(case.complaints(AlarmChain(deployment), lines))
    assert [] == list(case.differences(deployment))


def test_no_alarm_is_left_out(deployment: Deployment) -> None:
    """The template has the alarms that were asked for, and no other."""
    alarms = deployment.resources("AWS::CloudWatch::Alarm")

    assert {case.alarm for case in CASES} == {alarm.properties["AlarmName"] for alarm in alarms}
