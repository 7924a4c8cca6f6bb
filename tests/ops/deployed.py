"""A channel's stack in the made-up account, with what its outputs lead to."""

import io
import json
import zipfile
from collections.abc import Mapping

import boto3

from ops.deployment import stack_name

ENVIRONMENT = "dev"
CHANNEL = "whatsapp"
FUNCTION = "whatsapp-channel-processor-dev"
ALIAS = "live"
NAMESPACE = "AIComms/WhatsAppProcessor/Dev"
ALARM = "WhatsAppProcessorDeadLettersAlarm-Dev"


def deploy(variables: Mapping[str, str], dead_letter_queue_url: str) -> None:
    """Make a stack with the outputs of a channel's, and the function that they name.

    Args:
        variables: The function's environment variables.
        dead_letter_queue_url: The dead-letter queue's.
    """
    _make_function(variables)
    outputs = {
        "QueueUrl": variables["QUEUE_URL"],
        "DeadLetterQueueUrl": dead_letter_queue_url,
        "FunctionName": FUNCTION,
        "FunctionAlias": ALIAS,
        "DashboardUrl": "https://example.com/dashboard",
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(
        StackName=stack_name(ENVIRONMENT, CHANNEL), TemplateBody=json.dumps(template)
    )


def _make_function(variables: Mapping[str, str]) -> None:
    functions = boto3.client("lambda")
    functions.create_function(
        FunctionName=FUNCTION,
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/made-up",
        Handler="index.handler",
        Code={"ZipFile": _empty_package()},
        Environment={"Variables": {**variables, "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE}},
        Publish=True,
    )
    functions.create_alias(FunctionName=FUNCTION, Name=ALIAS, FunctionVersion="1")


def _empty_package() -> bytes:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", "")
    return package.getvalue()
