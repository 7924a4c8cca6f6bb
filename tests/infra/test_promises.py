"""Properties of the templates that must not change: names, logical ids, variables, tags, access.

What the invariants check at every synth is tested with them.
"""

import json
import re
from dataclasses import fields
from typing import Any

import pytest

from lambda_src.core import contract
from lambda_src.core.contract import DEFAULTS, METRICS_NAMESPACE, REQUIRED_VARIABLES, Variable
from lambda_src.core.settings import Settings
from stacks.channels.sms import CHANNEL as SMS
from stacks.config import ChannelNames, LogMetricNames
from stacks.errors import ConfigurationError
from tests.infra.synthesis import (
    DELIVERY,
    ENVIRONMENTS,
    EVERYTHING,
    PROTECTED,
    STACKS,
    Synthesized,
    environment,
    synthesize,
)

PLACE = ("partition", "region", "account")
FUNCTION, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"

KEY, TABLE, QUEUE = "AWS::KMS::Key", "AWS::DynamoDB::Table", "AWS::SQS::Queue"
LOG_GROUP, SECRET, TOPIC = "AWS::Logs::LogGroup", "AWS::SecretsManager::Secret", "AWS::SNS::Topic"
IDENTIFIED = {TABLE, KEY, LOG_GROUP, QUEUE, SECRET, TOPIC}
LOGICAL_IDS = {
    "Shared": {
        "ConversationsTable05F75AD7": TABLE,
        "CriticalAlertsTopic9EE7338E": TOPIC,
        "EncryptionKey3A692D6E": KEY,
        "HandOffQueueAE88B049": QUEUE,
    },
    "WhatsApp": {
        "ChannelQueue4930F42B": QUEUE,
        "ChannelQueueDeadLetterQueue2FF975DF": QUEUE,
        "DeliveryEventsEventsQueueDeadLetterQueue70073CF7": QUEUE,
        "DeliveryEventsEventsQueueFD991825": QUEUE,
        "DeliveryEventsReceiverLogGroup75420D5A": LOG_GROUP,
        "DeliveryEventsWorkerLogGroup01035B1E": LOG_GROUP,
        "ProcessorLogGroup7C0FC1A8": LOG_GROUP,
        "ScheduledJobLogGroupE957FD6E": LOG_GROUP,
        "SecretsOpenAiA5031F3F": SECRET,
        "SecretsTenantsdemocompanyB58F711B": SECRET,
        "VendorCheckLogGroupD2A1F7D5": LOG_GROUP,
    },
}
"""Never edit an id of a deployed stack: a new id is a new, empty resource, or a topic without its
confirmed subscriptions."""

PARTS_OF_DELIVERY = ("allbacks", "allback", "elivery", "ublish", "vents", "cheduled")
"""How the ids of its resources and outputs begin, after a capital."""

ALARMS = (
    "DeadLetters FinalDbUpdateFailure FunctionErrors FunctionNearTimeout FunctionThrottles"
    " HeartbeatFailure ModelsRetiring MoreDeadLetters NoMessageSent OldestHeldDraft OldestMessage"
    " RepeatedFailure SchedulerErrors SendOutcomeUnknown TemplatesNotApproved VendorAccountRefused"
)
NAMES = {
    ("Shared", TABLE, "TableName"): "conversations-dev",
    ("Shared", TOPIC, "TopicName"): "ai-comms-critical-alerts-dev",
    ("Shared", QUEUE, "QueueName"): "ai-multi-comms-handoff-queue-dev",
    ("WhatsApp", QUEUE, "QueueName"): (
        "ai-multi-comms-whatsapp-dlq-dev ai-multi-comms-whatsapp-queue-dev"
    ),
    ("WhatsApp", FUNCTION, "FunctionName"): (
        "whatsapp-channel-processor-dev whatsapp-scheduler-dev whatsapp-vendor-check-dev"
    ),
    ("WhatsApp", LOG_GROUP, "LogGroupName"): (
        "/aws/lambda/whatsapp-channel-processor-dev /aws/lambda/whatsapp-scheduler-dev"
        " /aws/lambda/whatsapp-vendor-check-dev"
    ),
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


@pytest.mark.parametrize(("stack", "kind", "key"), NAMES)
def test_documented_names(dev: Synthesized, stack: str, kind: str, key: str) -> None:
    """The resources of dev have the documented names."""
    names = sorted(item["Properties"][key] for item in dev.resources(stack, kind))
    assert NAMES[stack, kind, key].split() == names


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


def test_an_unknown_placeholder_is_named() -> None:
    """The error about a placeholder in a channel's entry names the channel and the known ones."""
    names, place = ChannelNames(SMS, environment()), dict.fromkeys(PLACE, "x")
    assert "x/ai-multi-comms-dev" == names.fill("{region}/{project}-{environment}", **place)
    with pytest.raises(ConfigurationError, match=r"channel sms: .\{stage\}. has another"):
        names.fill("{stage}", **place)


@pytest.mark.parametrize("stack", STACKS)
def test_data_is_retained_under_its_logical_ids(stack: str) -> None:
    """Data and confirmed subscriptions keep their logical ids, and in prod data survives a stack.

    So does the environment's key, without which the data could not be read.
    """
    prod = synthesize("prod", **PROTECTED).template(stack)
    found = {name: part for name, part in prod["Resources"].items() if part["Type"] in IDENTIFIED}
    assert LOGICAL_IDS[stack] == {name: part["Type"] for name, part in found.items()}
    data = [part for part in found.values() if part["Type"] != TOPIC]
    policies = {(part["DeletionPolicy"], part["UpdateReplacePolicy"]) for part in data}
    assert {("RetainExceptOnCreate", "Retain")} == policies


def test_function_has_the_contracts_variables(templates: Synthesized) -> None:
    """Every variable is set; its value is the default unless the environment decides it."""
    variables = templates.variables()
    decided = {Variable.LOG_LEVEL, Variable.VERSION, Variable.MAX_CONCURRENCY}
    unset = contract.UNSET_VARIABLES
    other = decided | REQUIRED_VARIABLES | unset
    defaults = {name: value for name, value in DEFAULTS.items() if name not in other}
    assert {*Variable, METRICS_NAMESPACE} - unset == variables.keys() - unset
    assert defaults == {name: variables[name] for name in defaults}
    assert contract.RELEASE == variables[Variable.VERSION]
    batch_size = templates.resources("WhatsApp", MAPPING)[0]["Properties"]["BatchSize"]
    assert str(batch_size) == variables[Variable.MAX_CONCURRENCY]


def test_metrics_share_one_namespace(templates: Synthesized) -> None:
    """The runtime's metrics and those of the metric filters have the same namespace."""
    filters = templates.resources("WhatsApp", "AWS::Logs::MetricFilter")
    metrics = [part for item in filters for part in item["Properties"]["MetricTransformations"]]
    assert {templates.variables()[METRICS_NAMESPACE]} == {m["MetricNamespace"] for m in metrics}
    assert "FinalDbUpdateFailureCount" in {metric["MetricName"] for metric in metrics}


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
                is_map = isinstance(tags, dict)
                assert expected == (tags if is_map else {tag["Key"]: tag["Value"] for tag in tags})
    assert {"AWS::CloudWatch::Alarm", FUNCTION, *IDENTIFIED - {KEY}} <= tagged


@pytest.mark.parametrize("keys", [("delivery_webhook",), ("delivery_sweep",), (*DELIVERY,)])
@pytest.mark.parametrize("stack", STACKS)
def test_delivery_events_only_add(stack: str, keys: tuple[str, ...]) -> None:
    """The keys replace, rename and remove nothing, and are off by default.

    Queues and worker come with either key. The scheduled job is always there, for drafts.
    """
    assert not environment().has_delivery_events
    changes: dict[str, Any] = dict.fromkeys(keys, True)
    off, on = (each.template(stack) for each in (synthesize(), synthesize(**changes)))
    assert not re.search("DeliveryEvents|OldestLookup|EVENTS_|Callbacks", json.dumps(off))
    functions = [r["Properties"] for r in on["Resources"].values() if r["Type"] == FUNCTION]
    roles = {each["FunctionName"].split("-")[1] for each in functions}
    expected_roles = {"channel", "events", "scheduler", "vendor"}
    expected_roles |= {"receiver"} if "delivery_webhook" in keys else set()
    assert roles == (expected_roles if stack == "WhatsApp" else set())
    before, after = ({**t["Resources"], **t["Outputs"]} for t in (off, on))
    gone = [name for name in before.keys() - after.keys() if "CurrentVersion" not in name]
    assert [] == gone
    added = {name for name in after.keys() - before.keys() if "CurrentVersion" not in name}
    assert {*PARTS_OF_DELIVERY} >= {re.split("[A-Z0-9]", name[1:])[0] for name in added}
    changed = {before[n].get("Type") for n in before.keys() & after.keys() if before[n] != after[n]}
    allowed = {FUNCTION, "AWS::Lambda::Alias", "AWS::CloudWatch::Dashboard"}
    assert changed <= allowed | {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"}
    assert "CALLBACK_BASE_URL" not in str(off)


def test_settings_read_the_contracts_variables_only() -> None:
    """The runtime reads these, the metrics namespace and Twilio's address.

    Each variable of the contract is either required or has a default.
    """
    assert sorted(Variable) == sorted([*REQUIRED_VARIABLES, *DEFAULTS])
    names = {field.name.upper() for field in fields(Settings)}
    read = {each.replace("SEND_TIMEOUT", "TWILIO_TIMEOUT") for each in names}
    assert {*Variable, contract.TWILIO_BASE_URL, METRICS_NAMESPACE} == read


def test_everything_at_rest_is_encrypted_with_the_key(dev: Synthesized) -> None:
    """Queues, table, topic and log are encrypted with the environment's key, if it has one."""
    with_key = synthesize(**EVERYTHING)
    for stack, kind, property_name in (
        ("WhatsApp", QUEUE, "KmsMasterKeyId"),
        ("Shared", QUEUE, "KmsMasterKeyId"),
        ("Shared", TOPIC, "KmsMasterKeyId"),
        ("WhatsApp", LOG_GROUP, "KmsKeyId"),
        ("Shared", TABLE, "SSESpecification"),
    ):
        resources = with_key.resources(stack, kind)
        keys = [str(resource["Properties"][property_name]) for resource in resources]
        assert {True} == {"EncryptionKey" in key for key in keys}
    assert [] == dev.resources("Shared", KEY)
