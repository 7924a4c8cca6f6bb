"""The names that other systems and people type."""

import pytest

from stacks.channels import SMS, WHATSAPP
from stacks.names import ChannelNames, LogMetricNames, SharedNames
from tests.infra.synthesis import Synthesized, environment


@pytest.mark.parametrize(
    ("stack", "kind", "key", "names"),
    [
        ("Shared", "AWS::DynamoDB::Table", "TableName", {"conversations-dev"}),
        ("Shared", "AWS::SNS::Topic", "TopicName", {"ai-comms-critical-alerts-dev"}),
        (
            "WhatsApp",
            "AWS::SQS::Queue",
            "QueueName",
            {"ai-multi-comms-whatsapp-queue-dev", "ai-multi-comms-whatsapp-dlq-dev"},
        ),
        ("WhatsApp", "AWS::Lambda::Function", "FunctionName", {"whatsapp-channel-processor-dev"}),
        (
            "WhatsApp",
            "AWS::Logs::LogGroup",
            "LogGroupName",
            {"/aws/lambda/whatsapp-channel-processor-dev"},
        ),
        (
            "WhatsApp",
            "AWS::Logs::MetricFilter",
            "FilterName",
            {
                "FinalDbUpdateFailureFilter-Dev",
                "HeartbeatFailureFilter-Dev",
                "MessageSentFilter-Dev",
                "RepeatedFailureFilter-Dev",
                "SendOutcomeUnknownFilter-Dev",
                "VendorAccountRefusedFilter-Dev",
            },
        ),
        (
            "WhatsApp",
            "AWS::CloudWatch::Alarm",
            "AlarmName",
            {
                "WhatsAppProcessorDeadLettersAlarm-Dev",
                "WhatsAppProcessorFinalDbUpdateFailureAlarm-Dev",
                "WhatsAppProcessorFunctionErrorsAlarm-Dev",
                "WhatsAppProcessorFunctionNearTimeoutAlarm-Dev",
                "WhatsAppProcessorFunctionThrottlesAlarm-Dev",
                "WhatsAppProcessorHeartbeatFailureAlarm-Dev",
                "WhatsAppProcessorMoreDeadLettersAlarm-Dev",
                "WhatsAppProcessorNoMessageSentAlarm-Dev",
                "WhatsAppProcessorOldestMessageAlarm-Dev",
                "WhatsAppProcessorRepeatedFailureAlarm-Dev",
                "WhatsAppProcessorSendOutcomeUnknownAlarm-Dev",
                "WhatsAppProcessorVendorAccountRefusedAlarm-Dev",
            },
        ),
        (
            "WhatsApp",
            "AWS::SecretsManager::Secret",
            "Name",
            {
                "ai-multi-comms/dev/openai-api-key/whatsapp",
                "ai-multi-comms/dev/whatsapp-credentials/demo-company",
            },
        ),
    ],
)
def test_dev_has_the_documented_names(
    dev: Synthesized, stack: str, kind: str, key: str, names: set[str]
) -> None:
    """Resources of dev bear the documented names."""
    assert names == {item["Properties"][key] for item in dev.resources(stack, kind)}


def test_table_has_the_documented_keys(dev: Synthesized) -> None:
    """Conversations are keyed by whom they are with, then by which one it is."""
    table = dev.properties("Shared", "AWS::DynamoDB::Table")

    assert [
        {"AttributeName": "primary_channel", "KeyType": "HASH"},
        {"AttributeName": "conversation_id", "KeyType": "RANGE"},
    ] == table["KeySchema"]
    assert {"S"} == {key["AttributeType"] for key in table["AttributeDefinitions"]}


def test_metric_of_the_final_update(dev: Synthesized) -> None:
    """The metric of failed final updates has the documented name and namespace."""
    filters = dev.resources("WhatsApp", "AWS::Logs::MetricFilter")
    fed = [item["Properties"]["MetricTransformations"][0] for item in filters]

    assert ("AIComms/WhatsAppProcessor/Dev", "FinalDbUpdateFailureCount") in {
        (metric["MetricNamespace"], metric["MetricName"]) for metric in fed
    }


def test_stacks_tell_channel_and_environment(dev: Synthesized, prod: Synthesized) -> None:
    """Two environments' stacks can stand in one account."""
    for synthesized, name in ((dev, "dev"), (prod, "prod")):
        manifest = (synthesized.directory / "manifest.json").read_text()
        assert f'"ai-multi-comms-shared-{name}"' in manifest
        assert f'"ai-multi-comms-whatsapp-{name}"' in manifest


def test_another_channel_in_another_environment() -> None:
    """The same rule names any channel's resources in any environment."""
    names = ChannelNames(SMS, environment("prod"))

    assert "ai-multi-comms-sms-queue-prod" == names.queue
    assert "ai-multi-comms-sms-dlq-prod" == names.dead_letter_queue
    assert "sms-channel-processor-prod" == names.function
    assert "/aws/lambda/sms-channel-processor-prod" == names.log_group
    assert "ai-multi-comms/prod/openai-api-key/sms" == names.openai_secret
    assert "ai-multi-comms/prod/sms-credentials/" == names.credentials_prefix
    assert LogMetricNames(
        metric_filter="FinalDbUpdateFailureFilter-Sms-Prod",
        metric="FinalDbUpdateFailureCount",
        namespace="AIComms/SmsProcessor/Prod",
    ) == names.log_metric("FinalDbUpdateFailure")
    assert "SmsProcessorFinalDbUpdateFailureAlarm-Prod" == names.alarm("FinalDbUpdateFailure")


def test_channels_and_environments_do_not_collide() -> None:
    """No two channels or environments share a name, but for what is meant to be shared."""
    names = [
        ChannelNames(channel, environment(name))
        for channel in (WHATSAPP, SMS)
        for name in ("dev", "prod")
    ]
    seen = [
        text
        for one in names
        for text in (one.stack, one.queue, one.dead_letter_queue, one.function, one.openai_secret)
    ] + [
        name for one in names for name in (one.log_metric("Subject").metric_filter, one.alarm("S"))
    ]

    assert len(seen) == len(set(seen))
    assert "conversations-prod" == SharedNames(environment("prod")).table
