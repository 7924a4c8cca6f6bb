"""What must never regress, one promise a test, over every environment."""

from typing import Any

import pytest

from lambda_src.core.contract import (
    DEFAULTS,
    METRICS_NAMESPACE,
    RELEASE,
    REQUIRED_VARIABLES,
    UNSET_VARIABLES,
    Variable,
)
from tests.infra.synthesis import ENVIRONMENTS, STACKS, Synthesized, synthesize

pytestmark = pytest.mark.parametrize("environment", ENVIRONMENTS)

DAY = 86_400


@pytest.fixture
def templates(environment: str) -> Synthesized:
    """Return the environment's templates."""
    return synthesize(environment)


def _queue(templates: Synthesized, part: str) -> dict[str, Any]:
    queues = templates.resources("WhatsApp", "AWS::SQS::Queue")
    (queue,) = [q["Properties"] for q in queues if f"-{part}-" in q["Properties"]["QueueName"]]
    return dict(queue)


def _variables(templates: Synthesized) -> dict[str, Any]:
    function = templates.properties("WhatsApp", "AWS::Lambda::Function")
    return dict(function["Environment"]["Variables"])


def test_failures_are_reported(templates: Synthesized) -> None:
    """The mapping heeds the handler's batch item failures, so a failed message is not deleted."""
    mapping = templates.properties("WhatsApp", "AWS::Lambda::EventSourceMapping")

    assert ["ReportBatchItemFailures"] == mapping["FunctionResponseTypes"]


def test_messages_go_to_the_alias(templates: Synthesized) -> None:
    """The mapping feeds the alias, never the unpublished function."""
    mapping = templates.properties("WhatsApp", "AWS::Lambda::EventSourceMapping")
    alias = templates.properties("WhatsApp", "AWS::Lambda::Alias")

    assert "live" == alias["Name"]
    assert ":live" == mapping["FunctionName"]["Fn::Join"][1][-1]


def test_concurrency_is_bounded(templates: Synthesized) -> None:
    """The mapping holds back rather than run into the vendors' limits."""
    mapping = templates.properties("WhatsApp", "AWS::Lambda::EventSourceMapping")

    assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] <= 1_000


def test_undeliverable_messages_are_kept(templates: Synthesized) -> None:
    """After its last delivery a message moves to the dead-letter queue, which keeps it longest."""
    redrive = _queue(templates, "queue")["RedrivePolicy"]

    assert redrive["maxReceiveCount"] >= 5
    assert "DeadLetterQueue" in redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]
    assert 14 * DAY == _queue(templates, "dlq")["MessageRetentionPeriod"]


@pytest.mark.parametrize(("part", "days"), [("queue", 7), ("dlq", 14)])
def test_queues_are_private(templates: Synthesized, part: str, days: int) -> None:
    """Queues are encrypted at rest; a dead letter has at least a week, however late it came."""
    queue = _queue(templates, part)

    assert queue["SqsManagedSseEnabled"] is True
    assert days * DAY == queue["MessageRetentionPeriod"]


def test_plain_connections_are_refused(templates: Synthesized) -> None:
    """Each queue and topic denies requests that do not come over TLS."""
    policies = [
        *templates.resources("WhatsApp", "AWS::SQS::QueuePolicy"),
        *templates.resources("Shared", "AWS::SNS::TopicPolicy"),
    ]
    denied = [
        statement["Condition"]
        for policy in policies
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    ]

    assert 3 * [{"Bool": {"aws:SecureTransport": "false"}}] == denied


def test_visibility_outlasts_the_function(templates: Synthesized) -> None:
    """A message stays invisible six times as long as the function may run, as AWS advises."""
    function = templates.properties("WhatsApp", "AWS::Lambda::Function")

    assert 6 * function["Timeout"] == _queue(templates, "queue")["VisibilityTimeout"]


def test_heartbeat_outpaces_its_visibility(templates: Synthesized) -> None:
    """Two beats may be lost before a message that is being worked on becomes visible."""
    variables = _variables(templates)

    interval = int(variables[Variable.HEARTBEAT_INTERVAL_SECONDS])
    assert 3 * interval < int(variables[Variable.HEARTBEAT_VISIBILITY_SECONDS])


def test_variables_are_all_set(templates: Synthesized) -> None:
    """The function is given every variable of the contract that any environment needs."""
    expected = {*Variable, METRICS_NAMESPACE} - UNSET_VARIABLES

    assert expected == set(_variables(templates)) - UNSET_VARIABLES


def test_metrics_share_one_namespace(templates: Synthesized) -> None:
    """The function's own metrics share the namespace of those that its log's filters make."""
    filters = templates.resources("WhatsApp", "AWS::Logs::MetricFilter")
    namespaces = {
        transformation["MetricNamespace"]
        for metric_filter in filters
        for transformation in metric_filter["Properties"]["MetricTransformations"]
    }

    assert {_variables(templates)[METRICS_NAMESPACE]} == namespaces


def test_variables_say_what_the_contract_says(templates: Synthesized) -> None:
    """What the environment does not decide stands as the contract's default."""
    decided = {Variable.LOG_LEVEL, Variable.VERSION, Variable.MAX_CONCURRENCY}
    expected = {
        name: value
        for name, value in DEFAULTS.items()
        if name not in decided | REQUIRED_VARIABLES | UNSET_VARIABLES
    }
    variables = _variables(templates)

    assert expected == {name: variables[name] for name in expected}
    assert variables[Variable.VERSION] == RELEASE


def test_a_batch_is_worked_on_at_once(templates: Synthesized) -> None:
    """There are as many threads as a batch has messages."""
    mapping = templates.properties("WhatsApp", "AWS::Lambda::EventSourceMapping")

    assert str(mapping["BatchSize"]) == _variables(templates)[Variable.MAX_CONCURRENCY]


def test_secrets_have_no_value(templates: Synthesized) -> None:
    """A template holds no secret's value: Secrets Manager makes up a placeholder."""
    for secret in templates.resources("WhatsApp", "AWS::SecretsManager::Secret"):
        assert {"Description", "GenerateSecretString", "Name", "Tags"} == set(secret["Properties"])
        assert {
            "SecretStringTemplate": "{}",
            "GenerateStringKey": "placeholder",
        } == secret["Properties"]["GenerateSecretString"]


def test_log_is_owned(templates: Synthesized) -> None:
    """The function writes to a log group of the app's, which forgets after the days set."""
    group = templates.properties("WhatsApp", "AWS::Logs::LogGroup")
    function = templates.properties("WhatsApp", "AWS::Lambda::Function")

    assert f"/aws/lambda/{function['FunctionName']}" == group["LogGroupName"]
    assert "ProcessorLogGroup" in function["LoggingConfig"]["LogGroup"]["Ref"]
    assert group["RetentionInDays"] >= 1


def test_resources_are_tagged(templates: Synthesized, environment: str) -> None:
    """Whatever can bear tags says its project, environment and channel."""
    for stack, channel in zip(STACKS, ("shared", "whatsapp"), strict=True):
        expected = {"project": "ai-multi-comms", "environment": environment, "channel": channel}
        for resource in templates.template(stack)["Resources"].values():
            tags = resource["Properties"].get("Tags")
            assert tags is None or expected == {tag["Key"]: tag["Value"] for tag in tags}


def test_resources_of_value_bear_tags(templates: Synthesized) -> None:
    """Queues, secrets, function, log group, table, topic and alarms are among the tagged."""
    tagged = {
        resource["Type"]
        for stack in STACKS
        for resource in templates.template(stack)["Resources"].values()
        if "Tags" in resource["Properties"]
    }

    assert {
        "AWS::CloudWatch::Alarm",
        "AWS::DynamoDB::Table",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
    } <= tagged


def test_outputs(templates: Synthesized) -> None:
    """Operators and tools find queues, function, log, table and topic in the outputs."""
    channel = set(templates.template("WhatsApp")["Outputs"])
    shared = set(templates.template("Shared")["Outputs"])

    assert {"QueueUrl", "DeadLetterQueueUrl", "FunctionName", "LogGroupName"} <= channel
    assert {"TableName", "TopicName", "TopicArn"} <= shared
