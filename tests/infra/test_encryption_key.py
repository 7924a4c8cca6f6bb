"""An environment's own key and what it encrypts; tests/contract covers who may use it."""

import pytest

from tests.infra.synthesis import STACKS, Synthesized, synthesize

KEY = "AWS::KMS::Key"
ENCRYPTED_BY = {
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::DynamoDB::Table": "SSESpecification",
}
"""The property that names the key, by type of resource."""


@pytest.fixture(scope="module")
def with_key() -> Synthesized:
    """Return the templates of an environment with its own key."""
    return synthesize(customer_managed_key=True)


def test_key_is_optional() -> None:
    """A key costs money each month, so an environment has none unless it asks for one."""
    assert [] == synthesize().resources("Shared", KEY)


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


def test_it_is_rotated_and_retained(with_key: Synthesized) -> None:
    """AWS rotates it each year; in prod it survives its stack, and its logical id is fixed."""
    (key,) = synthesize("prod", customer_managed_key=True).resources("Shared", KEY)

    assert key["Properties"]["EnableKeyRotation"]
    assert ("RetainExceptOnCreate", "Retain") == (
        key["DeletionPolicy"],
        key["UpdateReplacePolicy"],
    )
    assert KEY == with_key.template("Shared")["Resources"]["EncryptionKey3A692D6E"]["Type"]
