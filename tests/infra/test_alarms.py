"""Properties that all alarms of the templates have, in every environment."""

from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns

from stacks.alarms.notifier import MAX_DESCRIPTION, AlarmNotifier, AlarmRule
from tests.infra.synthesis import ENVIRONMENTS, Synthesized, synthesize


def _alarms(synthesized: Synthesized) -> list[dict[str, Any]]:
    return [
        alarm["Properties"] for alarm in synthesized.resources("WhatsApp", "AWS::CloudWatch::Alarm")
    ]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_notifies_the_topic(name: str) -> None:
    """Each alarm notifies the shared topic, by the name of the shared stack's output."""
    synthesized = synthesize(name)
    shared = synthesized.template("Shared")
    for alarm in _alarms(synthesized):
        for action in alarm["AlarmActions"] + alarm.get("OKActions", []):
            output = action["Fn::GetStackOutput"]["OutputName"]
            topic = shared["Outputs"][output]["Value"]["Ref"]
            assert "AWS::SNS::Topic" == shared["Resources"][topic]["Type"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_alarm_is_within_cloudwatchs_limits(name: str) -> None:
    """Descriptions fit with a long runbook address, and the evaluation covers at most a day."""
    synthesized = synthesize(name, runbook_url="https://example.com/" + 200 * "r")
    for alarm in _alarms(synthesized):
        queries = [query["MetricStat"] for query in alarm.get("Metrics", [])[1:]] or [alarm]
        assert len(alarm["AlarmDescription"]) <= MAX_DESCRIPTION
        assert all(q["Period"] * alarm["EvaluationPeriods"] <= 86_400 for q in queries)


def test_alarms_link_to_the_environments_runbook() -> None:
    """The runbook address of an environment is in each alarm, with the alarm's section."""
    alarms = _alarms(synthesize(runbook_url="https://example.com/runbook"))

    links = {alarm["AlarmDescription"].split("Runbook: ")[1] for alarm in alarms}
    assert "https://example.com/runbook#deadletters" in links
    assert len(alarms) == len(links)


def test_long_description_is_rejected() -> None:
    """A description beyond CloudWatch's limit stops synth and names the alarm and both lengths."""
    stack = Stack(App(), "Stack")
    topic = sns.Topic.from_topic_arn(stack, "Topic", "arn:aws:sns:eu-west-1:111122223333:t")

    with pytest.raises(ValueError, match=r"alarm Sample: its description has 1,[0-9]{3} char"):
        AlarmNotifier(topic=topic, runbook="docs/runbook.md").add_alarm(
            stack,
            "Sample",
            alarm_name="Sample",
            rule=AlarmRule(subject="Sample", description=1_000 * "x"),
            metric=cloudwatch.Metric(namespace="Sample", metric_name="Sample"),
        )
