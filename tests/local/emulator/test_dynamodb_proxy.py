"""The proxy in front of DynamoDB, used by the real SDK."""

import dataclasses
import uuid
from collections.abc import Iterator

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from mypy_boto3_dynamodb import DynamoDBClient

from local.aws import Aws
from local.dynamodb_proxy import DynamoDBError, DynamoDBProxy
from local.fakes import Fault, FaultKind, Match, Rule


@pytest.fixture
def proxy(embedded_aws: Aws) -> Iterator[DynamoDBProxy]:
    """Run a proxy in front of the embedded AWS."""
    with DynamoDBProxy(embedded_aws.endpoint) as proxy:
        yield proxy


@pytest.fixture
def dynamodb(proxy: DynamoDBProxy, embedded_aws: Aws) -> DynamoDBClient:
    """Return a client of the proxy."""
    return dataclasses.replace(embedded_aws, endpoint=proxy.url).dynamodb


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> str:
    """Create a table with one item through the proxy."""
    name = uuid.uuid4().hex
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=name, Item={"id": {"S": "a"}, "n": {"N": "1"}})
    return name


def _update(dynamodb: DynamoDBClient, table: str, number: int) -> None:
    dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": str(number)}},
    )


def _number(dynamodb: DynamoDBClient, table: str) -> str:
    return dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"]["n"]["N"]


def _rule(fault: Fault, operation: str) -> Rule:
    return Rule(fault=fault, match=Match(paths=(f"/{operation}",)), times=None)


def test_requests_are_forwarded(dynamodb: DynamoDBClient, table: str) -> None:
    """Without rules, results and errors are DynamoDB's."""
    _update(dynamodb, table, 2)
    assert "2" == _number(dynamodb, table)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(
            TableName=table,
            Item={"id": {"S": "a"}},
            ConditionExpression="attribute_not_exists(id)",
        )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DynamoDBError.ACCESS_DENIED, "AccessDeniedException"),
        (DynamoDBError.THROTTLED, "ThrottlingException"),
        (DynamoDBError.SERVER_ERROR, "InternalServerError"),
    ],
)
def test_an_injected_error_is_one_of_dynamodbs(
    proxy: DynamoDBProxy, dynamodb: DynamoDBClient, table: str, error: DynamoDBError, code: str
) -> None:
    """A failed request raises DynamoDB's error and changes nothing, until the rules are cleared."""
    proxy.fail("UpdateItem", error)
    with pytest.raises(ClientError) as raised:
        _update(dynamodb, table, 2)
    assert code == raised.value.response["Error"]["Code"]
    assert "1" == _number(dynamodb, table)
    assert proxy.failed_count > 0
    proxy.clear_rules()
    _update(dynamodb, table, 2)
    assert "2" == _number(dynamodb, table)


def test_a_rule_applies_to_selected_requests(
    proxy: DynamoDBProxy, dynamodb: DynamoDBClient, table: str
) -> None:
    """Only requests whose parameters are selected fail."""
    proxy.fail(
        "UpdateItem",
        DynamoDBError.ACCESS_DENIED,
        lambda parameters: parameters["ExpressionAttributeValues"][":n"] == {"N": "3"},
    )
    _update(dynamodb, table, 2)
    with pytest.raises(ClientError, match="AccessDenied"):
        _update(dynamodb, table, 3)
    assert "2" == _number(dynamodb, table)


@pytest.mark.parametrize(
    "fault",
    [DynamoDBError.SERVER_ERROR.fault(effect_applied=True), Fault.reset(effect_applied=True)],
)
def test_a_response_can_be_lost(
    proxy: DynamoDBProxy, dynamodb: DynamoDBClient, table: str, fault: Fault
) -> None:
    """A request can take effect although its sender receives an error."""
    proxy.add_rule(_rule(fault, "UpdateItem"))
    with pytest.raises((ClientError, BotoCoreError)):
        _update(dynamodb, table, 2)
    assert "2" == _number(dynamodb, table)
    assert fault.kind in {request.fault for request in proxy.requests}


def test_forwarded_requests_are_recorded(
    proxy: DynamoDBProxy, dynamodb: DynamoDBClient, table: str
) -> None:
    """Requests that DynamoDB responded to are recorded with the status; others are not."""
    proxy.add_rule(_rule(Fault.reset(), "DeleteItem"))
    with pytest.raises(BotoCoreError):
        dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    _update(dynamodb, table, 2)
    with pytest.raises(ClientError):
        _update(dynamodb, "no-such-table", 3)
    *_, succeeded, failed = proxy.forwarded
    assert ("UpdateItem", 200, table) == (
        succeeded.operation,
        succeeded.status,
        succeeded.parameters["TableName"],
    )
    assert ("UpdateItem", 400) == (failed.operation, failed.status)
    assert not [request for request in proxy.forwarded if request.operation == "DeleteItem"]
    assert {FaultKind.RESET, None} == {request.fault for request in proxy.requests}


def test_the_history_can_be_cleared(
    proxy: DynamoDBProxy, dynamodb: DynamoDBClient, table: str
) -> None:
    """A long run can forget its requests; rules stay in force."""
    proxy.fail("UpdateItem", DynamoDBError.ACCESS_DENIED)
    dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})
    proxy.clear_history()
    assert ([], []) == (proxy.requests, proxy.forwarded)
    with pytest.raises(ClientError, match="AccessDenied"):
        _update(dynamodb, table, 2)
