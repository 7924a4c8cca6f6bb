"""Properties of the templates that must not change: names, logical ids, variables, tags, access.

What the invariants check at every synth is tested with them.
"""

from dataclasses import fields
from itertools import product
from typing import Any

import pytest

from lambda_src.core.contract import (
    DEFAULTS,
    METRICS_NAMESPACE,
    RELEASE,
    REQUIRED_VARIABLES,
    TWILIO_BASE_URL,
    UNSET_VARIABLES,
    Variable,
)
from lambda_src.core.settings import Settings
from stacks.config import ChannelNames, LogMetricNames, SharedNames
from stacks.config.channels import SMS, WHATSAPP
from tests.infra.synthesis import ENVIRONMENTS, STACKS, Synthesized, environment, synthesize

DAY = 86_400
FUNCTION, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"

KEY, TABLE, QUEUE = "AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SQS::Queue"
LOG_GROUP, SECRET, TOPIC = "AWS::Logs::LogGroup", "AWS::SecretsManager::Secret", "AWS::SNS::Topic"
RETAINED = ("RetainExceptOnCreate", "Retain")
DATA = {TABLE, KEY, LOG_GROUP, QUEUE, SECRET}
LOGICAL_IDS = {
    "Shared": {"ConversationsTable05F75AD7": TABLE, "CriticalAlertsTopic9EE7338E": TOPIC},
    "WhatsApp": {
        "ChannelQueue4930F42B": QUEUE,
        "ChannelQueueDeadLetterQueue2FF975DF": QUEUE,
        "ProcessorLogGroup7C0FC1A8": LOG_GROUP,
        "SecretsOpenAiA5031F3F": SECRET,
        "SecretsTenantsdemocompanyB58F711B": SECRET,
    },
}
"""Never edit an id of a deployed stack: a new id is a new, empty resource, or a topic without its
confirmed subscriptions."""

ALARMS = (
    "DeadLetters FinalDbUpdateFailure FunctionErrors FunctionNearTimeout FunctionThrottles"
    " HeartbeatFailure MoreDeadLetters NoMessageSent OldestMessage RepeatedFailure"
    " SendOutcomeUnknown VendorAccountRefused"
)
NAMES = {
    ("Shared", TABLE, "TableName"): "conversations-dev",
    ("Shared", TOPIC, "TopicName"): "ai-comms-critical-alerts-dev",
    ("WhatsApp", QUEUE, "QueueName"): (
        "ai-multi-comms-whatsapp-dlq-dev ai-multi-comms-whatsapp-queue-dev"
    ),
    ("WhatsApp", FUNCTION, "FunctionName"): "whatsapp-channel-processor-dev",
    ("WhatsApp", LOG_GROUP, "LogGroupName"): "/aws/lambda/whatsapp-channel-processor-dev",
    ("WhatsApp", "AWS::Logs::MetricFilter", "FilterName"): (
        "FinalDbUpdateFailureFilter-Dev HeartbeatFailureFilter-Dev MessageSentFilter-Dev"
        " RepeatedFailureFilter-Dev SendOutcomeUnknownFilter-Dev VendorAccountRefusedFilter-Dev"
    ),
    ("WhatsApp", "AWS::CloudWatch::Alarm", "AlarmName"): " ".join(
        f"WhatsAppProcessor{subject}Alarm-Dev" for subject in ALARMS.split()
    ),
    ("WhatsApp", SECRET, "Name"): (
        "ai-multi-comms/dev/openai-api-key/whatsapp"
        " ai-multi-comms/dev/whatsapp-credentials/demo-company"
    ),
}
"""The names of dev's resources: stack, type and property -> names, separated by spaces."""


@pytest.fixture(params=ENVIRONMENTS)
def templates(request: pytest.FixtureRequest) -> Synthesized:
    """Return the templates of each environment."""
    return synthesize(request.param)


def _data(stack: str, name: str | None, *others: str) -> dict[str, dict[str, Any]]:
    """Return a stack's resources with data, and those of other types, by logical id."""
    resources = synthesize(name).template(stack)["Resources"]
    return {name: part for name, part in resources.items() if part["Type"] in {*DATA, *others}}


@pytest.mark.parametrize(("stack", "kind", "key"), NAMES)
def test_documented_names(dev: Synthesized, stack: str, kind: str, key: str) -> None:
    """The resources of dev have the documented names."""
    names = sorted(item["Properties"][key] for item in dev.resources(stack, kind))
    assert NAMES[stack, kind, key].split() == names


def test_documented_keys_and_metric(dev: Synthesized) -> None:
    """The table has the documented keys, and the metric of failed updates its namespace."""
    table = dev.properties("Shared", TABLE)
    filters = dev.resources("WhatsApp", "AWS::Logs::MetricFilter")
    metrics = [item["Properties"]["MetricTransformations"][0] for item in filters]
    keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
    assert [("primary_channel", "HASH"), ("conversation_id", "RANGE")] == keys
    assert {"S"} == {key["AttributeType"] for key in table["AttributeDefinitions"]}
    assert {"AttributeName": "expires_at", "Enabled": True} == table["TimeToLiveSpecification"]
    names = [(metric["MetricNamespace"], metric["MetricName"]) for metric in metrics]
    assert ("AIComms/WhatsAppProcessor/Dev", "FinalDbUpdateFailureCount") in names


def test_names_of_another_channel_and_environment() -> None:
    """The same rule names any channel's resources in any environment."""
    names = ChannelNames(SMS, environment("prod"))
    assert "ai-multi-comms-sms-queue-prod" == names.queue
    assert "ai-multi-comms-sms-dlq-prod" == names.dead_letter_queue
    assert "sms-channel-processor-prod" == names.function
    assert "/aws/lambda/sms-channel-processor-prod" == names.log_group
    assert "ai-multi-comms/prod/openai-api-key/sms" == names.openai_secret
    assert "ai-multi-comms/prod/sms-credentials/" == names.credentials_prefix
    metric = {"metric": "FinalDbUpdateFailureCount", "namespace": "AIComms/SmsProcessor/Prod"}
    expected = LogMetricNames(metric_filter="FinalDbUpdateFailureFilter-Sms-Prod", **metric)
    assert expected == names.log_metric("FinalDbUpdateFailure")
    assert "SmsProcessorFinalDbUpdateFailureAlarm-Prod" == names.alarm("FinalDbUpdateFailure")


def test_names_of_channels_and_environments_differ() -> None:
    """No two channels or environments share a name, except the shared stack's."""
    seen = []
    for channel, name in product((WHATSAPP, SMS), ("dev", "prod")):
        one = ChannelNames(channel, environment(name))
        seen += [one.stack, one.queue, one.dead_letter_queue, one.function, one.openai_secret]
        seen += [one.log_metric("Subject").metric_filter, one.alarm("S")]
    assert len(seen) == len(set(seen))
    assert "conversations-prod" == SharedNames(environment("prod")).table


@pytest.mark.parametrize("stack", STACKS)
def test_logical_ids_of_data(stack: str) -> None:
    """Resources with data or confirmed subscriptions keep their logical ids."""
    found = _data(stack, None, TOPIC)
    assert LOGICAL_IDS[stack] == {name: part["Type"] for name, part in found.items()}


@pytest.mark.parametrize("stack", STACKS)
def test_prod_retains_its_data(stack: str) -> None:
    """In prod tables, queues, secrets, logs and keys survive every change of their stack."""
    data = _data(stack, "prod")
    assert data
    policies = {(part["DeletionPolicy"], part["UpdateReplacePolicy"]) for part in data.values()}
    assert {RETAINED} == policies


def test_messages_go_to_the_alias(templates: Synthesized) -> None:
    """The mapping feeds the alias, never the unpublished function."""
    mapping = templates.properties("WhatsApp", MAPPING)
    assert "live" == templates.properties("WhatsApp", "AWS::Lambda::Alias")["Name"]
    assert ":live" == mapping["FunctionName"]["Fn::Join"][1][-1]


def test_retention_of_queues(templates: Synthesized) -> None:
    """A message waits up to 7 days, and a dead letter has at least 7 more."""
    queues = templates.resources("WhatsApp", QUEUE)
    assert [7 * DAY, 14 * DAY] == sorted(q["Properties"]["MessageRetentionPeriod"] for q in queues)


def test_function_has_the_contracts_variables(templates: Synthesized) -> None:
    """Every variable is set; its value is the default unless the environment decides it."""
    variables = templates.variables()
    decided = {Variable.LOG_LEVEL, Variable.VERSION, Variable.MAX_CONCURRENCY}
    other = decided | REQUIRED_VARIABLES | UNSET_VARIABLES
    defaults = {name: value for name, value in DEFAULTS.items() if name not in other}
    assert {*Variable, METRICS_NAMESPACE} - UNSET_VARIABLES == variables.keys() - UNSET_VARIABLES
    assert defaults == {name: variables[name] for name in defaults}
    assert RELEASE == variables[Variable.VERSION]
    batch_size = templates.properties("WhatsApp", MAPPING)["BatchSize"]
    assert str(batch_size) == variables[Variable.MAX_CONCURRENCY]


def test_metrics_share_one_namespace(templates: Synthesized) -> None:
    """The runtime's metrics and those of the metric filters have the same namespace."""
    filters = templates.resources("WhatsApp", "AWS::Logs::MetricFilter")
    metrics = [part for item in filters for part in item["Properties"]["MetricTransformations"]]
    assert {templates.variables()[METRICS_NAMESPACE]} == {m["MetricNamespace"] for m in metrics}


def test_templates_have_no_secret_values(templates: Synthesized) -> None:
    """Secrets Manager generates a placeholder for each secret, always in the same way."""
    for secret in templates.resources("WhatsApp", SECRET):
        assert {"Description", "GenerateSecretString", "Name", "Tags"} == set(secret["Properties"])
        generated = secret["Properties"]["GenerateSecretString"]
        assert {"SecretStringTemplate": "{}", "GenerateStringKey": "placeholder"} == generated


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_resources_are_tagged(name: str) -> None:
    """Every resource that can have tags has its project, environment and channel."""
    tagged = set()
    for stack, channel in zip(STACKS, ("shared", "whatsapp"), strict=True):
        expected = {"project": "ai-multi-comms", "environment": name, "channel": channel}
        for resource in synthesize(name).template(stack)["Resources"].values():
            if tags := resource["Properties"].get("Tags"):
                tagged.add(resource["Type"])
                assert expected == {tag["Key"]: tag["Value"] for tag in tags}
    assert {"AWS::CloudWatch::Alarm", FUNCTION, TOPIC, *DATA - {KEY}} <= (tagged)


def test_trust_policies(dev: Synthesized) -> None:
    """Only Lambda may assume the function's role, and only this account's alarms may publish."""
    role = dev.properties("WhatsApp", "AWS::IAM::Role")
    (assumed,) = role["AssumeRolePolicyDocument"]["Statement"]
    policy = dev.properties("Shared", "AWS::SNS::TopicPolicy")["PolicyDocument"]
    (allowed,) = [item for item in policy["Statement"] if item["Effect"] == "Allow"]
    assert {"Service": "lambda.amazonaws.com"} == assumed["Principal"]
    assert {"Service": "cloudwatch.amazonaws.com"} == allowed["Principal"]
    assert "sns:Publish" == allowed["Action"]
    own_account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert {"StringEquals": own_account} == allowed["Condition"]


def test_template_can_set_every_variable() -> None:
    """An environment with addresses of its own and a retention sets all variables."""
    synthesized = synthesize(
        openai_base_url="https://eu.api.openai.com/v1",
        assistants_base_url="https://assistants.example.com/v1",
        conversation_retention_days=30,
    )
    assert {*Variable, METRICS_NAMESPACE} == set(synthesized.variables())


def test_settings_read_the_contracts_variables_only() -> None:
    """The runtime reads these, the metrics namespace and Twilio's address.

    Each variable of the contract is either required or has a default.
    """
    assert sorted(Variable) == sorted([*REQUIRED_VARIABLES, *DEFAULTS])
    read = {field.name.upper() for field in fields(Settings)}
    assert {*Variable, TWILIO_BASE_URL, METRICS_NAMESPACE} == read


ENCRYPTED_BY = {
    QUEUE: "KmsMasterKeyId",
    TOPIC: "KmsMasterKeyId",
    LOG_GROUP: "KmsKeyId",
    TABLE: "SSESpecification",
}
"""The property that names the key, by type of resource."""


def test_everything_at_rest_is_encrypted_with_the_key(dev: Synthesized) -> None:
    """Queues, table, topic and log are encrypted with the environment's key, if it has one."""
    with_key = synthesize(customer_managed_key=True)
    found = [
        (kind, str(part["Properties"][name]))
        for stack in STACKS
        for kind, name in ENCRYPTED_BY.items()
        for part in with_key.resources(stack, kind)
    ]
    assert sorted([*ENCRYPTED_BY, QUEUE]) == sorted(kind for kind, _ in found)
    assert all("EncryptionKey" in key for _, key in found)
    assert [] == dev.resources("Shared", KEY)


def test_key_is_rotated_and_retained() -> None:
    """AWS rotates it each year; in prod it survives its stack, and its logical id is fixed."""
    template = synthesize("prod", customer_managed_key=True).template("Shared")
    key = template["Resources"]["EncryptionKey3A692D6E"]
    assert key["Properties"]["EnableKeyRotation"]
    assert (KEY, *RETAINED) == (key["Type"], key["DeletionPolicy"], key["UpdateReplacePolicy"])
