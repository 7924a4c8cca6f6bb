"""What would be lost if CloudFormation replaced or deleted it."""

from typing import Any

import pytest

from tests.infra.synthesis import STACKS, synthesize

DATA = {
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}
CONFIRMED = {"AWS::SNS::Topic"}
"""Kept for what people confirmed: a new topic would have to be subscribed to again."""

LOGICAL_IDS = {
    "Shared": {
        "ConversationsTable05F75AD7": "AWS::DynamoDB::Table",
        "CriticalAlertsTopic9EE7338E": "AWS::SNS::Topic",
    },
    "WhatsApp": {
        "ChannelQueue4930F42B": "AWS::SQS::Queue",
        "ChannelQueueDeadLetterQueue2FF975DF": "AWS::SQS::Queue",
        "ProcessorLogGroup7C0FC1A8": "AWS::Logs::LogGroup",
        "SecretsOpenAiA5031F3F": "AWS::SecretsManager::Secret",
        "SecretsTenantsdemocompanyB58F711B": "AWS::SecretsManager::Secret",
    },
}
"""Never to be edited for a stack that is deployed: a new id is a new, empty resource."""


def resources_of(stack: str, environment: str | None, kinds: set[str]) -> dict[str, dict[str, Any]]:
    """The stack's resources of some types, by logical id."""
    resources = synthesize(environment).template(stack)["Resources"]
    return {name: part for name, part in resources.items() if part["Type"] in kinds}


@pytest.mark.parametrize("stack", STACKS)
def test_logical_ids_stay_as_they_are(stack: str) -> None:
    """A resource that keeps something is known by the id that it was deployed with."""
    found = resources_of(stack, None, DATA | CONFIRMED)

    assert LOGICAL_IDS[stack] == {name: part["Type"] for name, part in found.items()}


def test_the_key_keeps_its_logical_id() -> None:
    """What was encrypted with an environment's own key cannot be read with another one."""
    resources = synthesize(customer_managed_key=True).template("Shared")["Resources"]

    assert "AWS::KMS::Key" == resources["EncryptionKey3A692D6E"]["Type"]


@pytest.mark.parametrize("stack", STACKS)
def test_prod_retains_its_data(stack: str) -> None:
    """Whatever happens to a stack of `prod`, table, queues, secrets, logs and keys stay."""
    data = resources_of(stack, "prod", DATA)

    assert data
    for part in data.values():
        assert "RetainExceptOnCreate" == part["DeletionPolicy"]
        assert "Retain" == part["UpdateReplacePolicy"]


def test_prod_is_protected() -> None:
    """In `prod` the table goes back to any second of weeks, and is not deleted by mistake."""
    (table,) = resources_of("Shared", "prod", {"AWS::DynamoDB::Table"}).values()
    properties = table["Properties"]

    assert properties["DeletionProtectionEnabled"]
    assert properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    for stack in STACKS:
        assert synthesize("prod").artifact(stack)["properties"]["terminationProtection"]
