"""An environment's own key: what is encrypted with it, and who may use it."""

from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from tests.infra.synthesis import STACKS, Synthesized, new_app, synthesize
from tests.infra.test_construct_snapshots import channel_queue

ENCRYPTED_BY = {
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::DynamoDB::Table": "SSESpecification",
}
"""The property that names the key, by type of resource."""


@pytest.fixture(scope="module")
def with_key() -> Synthesized:
    """The templates of an environment that has a key of its own."""
    return synthesize(customer_managed_key=True)


def key_of(synthesized: Synthesized) -> dict[str, Any]:
    """The key's properties."""
    return synthesized.properties("Shared", "AWS::KMS::Key")


def statements(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A key policy's statements for services, by the service's name."""
    return {
        str(statement["Principal"]["Service"]): statement
        for statement in policy["Statement"]
        if "Service" in statement["Principal"]
    }


def test_an_environment_has_no_key_unless_it_asks() -> None:
    """A key costs money each month: without one AWS's own encryption serves."""
    assert [] == synthesize().resources("Shared", "AWS::KMS::Key")


def test_everything_at_rest_is_encrypted_with_it(with_key: Synthesized) -> None:
    """Both queues, the table, the topic and the log are encrypted with the one key."""
    found = [
        (kind, str(part["Properties"][name]))
        for stack in STACKS
        for kind, name in ENCRYPTED_BY.items()
        for part in with_key.resources(stack, kind)
    ]

    assert sorted([*ENCRYPTED_BY, "AWS::SQS::Queue"]) == sorted(kind for kind, _ in found)
    assert all("EncryptionKey" in key for _, key in found)


def test_it_is_rotated_and_kept() -> None:
    """AWS renews it each year, and in `prod` it outlives its stack, as does what it encrypts."""
    (key,) = synthesize("prod", customer_managed_key=True).resources("Shared", "AWS::KMS::Key")

    assert key["Properties"]["EnableKeyRotation"]
    assert ("RetainExceptOnCreate", "Retain") == (
        key["DeletionPolicy"],
        key["UpdateReplacePolicy"],
    )


def test_logs_may_use_it_for_this_environment_alone(with_key: Synthesized) -> None:
    """CloudWatch Logs encrypts the processors' log groups with it, and no others."""
    statement = next(
        statement
        for service, statement in statements(key_of(with_key)["KeyPolicy"]).items()
        if "logs." in service
    )

    assert "/aws/lambda/*-channel-processor-dev" in str(statement["Condition"]["ArnLike"])


def test_alarms_may_use_it(with_key: Synthesized) -> None:
    """An alarm can publish to the encrypted topic."""
    allowed = statements(key_of(with_key)["KeyPolicy"])["cloudwatch.amazonaws.com"]

    assert ["kms:Decrypt", "kms:GenerateDataKey*"] == allowed["Action"]
    assert "aws:SourceAccount" in allowed["Condition"]["StringEquals"]


def test_the_function_uses_it_through_queue_and_table_only(with_key: Synthesized) -> None:
    """The function's role cannot use the key by itself."""
    (policy,) = with_key.resources("WhatsApp", "AWS::IAM::Policy")
    uses = [
        statement
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "kms:" in str(statement["Action"])
    ]

    services = [
        str(use["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Join"][1][0]) for use in uses
    ]
    assert ["sqs.", "dynamodb."] == services


def test_a_router_may_encrypt_what_it_sends() -> None:
    """Whoever is granted to send gets the two privileges that SQS needs of a sender."""
    stack = Stack(new_app(), "Stack")
    router = iam.Role(stack, "Router", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    channel_queue(stack, encryption_key=kms.Key(stack, "Key")).grant_send(router)

    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    actions = [
        statement["Action"] for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert [["kms:Decrypt", "kms:GenerateDataKey"], "sqs:SendMessage"] == actions
