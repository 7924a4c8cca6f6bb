"""What every alarm of the templates has in common, in every environment."""

from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns

from stacks.on_call import LONGEST_DESCRIPTION, AlarmRule, OnCall
from tests.infra.synthesis import ENVIRONMENTS, Synthesized, synthesize


def _alarms(synthesized: Synthesized) -> list[dict[str, Any]]:
    return [
        alarm["Properties"] for alarm in synthesized.resources("WhatsApp", "AWS::CloudWatch::Alarm")
    ]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_acts_on_the_topic(name: str) -> None:
    """Each alarm tells the shared topic, by the name that the shared stack gives out."""
    synthesized = synthesize(name)
    shared = synthesized.template("Shared")
    for alarm in _alarms(synthesized):
        for action in alarm["AlarmActions"] + alarm.get("OKActions", []):
            output = action["Fn::GetStackOutput"]["OutputName"]
            topic = shared["Outputs"][output]["Value"]["Ref"]
            assert "AWS::SNS::Topic" == shared["Resources"][topic]["Type"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_fits_what_cloudwatch_takes(name: str) -> None:
    """With a long address of the runbook the texts still fit, and data points are at most a day."""
    synthesized = synthesize(name, runbook_url="https://example.com/" + 200 * "r")
    for alarm in _alarms(synthesized):
        queries = [query["MetricStat"] for query in alarm.get("Metrics", [])[1:]] or [alarm]
        assert len(alarm["AlarmDescription"]) <= LONGEST_DESCRIPTION
        assert all(q["Period"] * alarm["EvaluationPeriods"] <= 86_400 for q in queries)


def test_alarms_link_to_the_environments_runbook() -> None:
    """An environment that names the runbook's address has it in each alarm, with the section."""
    alarms = _alarms(synthesize(runbook_url="https://example.com/runbook"))

    links = {alarm["AlarmDescription"].split("Runbook: ")[1] for alarm in alarms}
    assert "https://example.com/runbook#deadletters" in links
    assert len(alarms) == len(links)


def test_a_text_that_is_too_long_is_refused() -> None:
    """A description beyond CloudWatch's limit stops synth and names the alarm and the numbers."""
    stack = Stack(App(), "Stack")
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:t")
    metric = cloudwatch.Metric(namespace="Sample", metric_name="Sample")

    with pytest.raises(ValueError, match=r"alarm Talker: its description has 1,[0-9]{3} char"):
        OnCall(topic=topic, runbook="docs/runbook.md").wake(
            stack,
            "Talker",
            alarm_name="Talker",
            rule=AlarmRule(subject="Talker", description=1_000 * "x"),
            metric=metric,
        )
