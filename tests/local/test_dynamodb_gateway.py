"""The gateway in front of DynamoDB, spoken to by the real SDK."""

import dataclasses
import uuid
from collections.abc import Iterator

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from mypy_boto3_dynamodb import DynamoDBClient

from local.aws import Aws
from local.dynamodb_gateway import DynamoDBGateway, Refusal, Rule
from local.stand_ins import Fault, FaultKind, Match
from local.stand_ins import Rule as FaultRule


@pytest.fixture
def gateway(embedded_aws: Aws) -> Iterator[DynamoDBGateway]:
    """Run a gateway in front of the embedded AWS."""
    with DynamoDBGateway(embedded_aws.endpoint) as gateway:
        yield gateway


@pytest.fixture
def dynamodb(gateway: DynamoDBGateway, embedded_aws: Aws) -> DynamoDBClient:
    """Return a client that goes through the gateway."""
    return dataclasses.replace(embedded_aws, endpoint=gateway.url).dynamodb


@pytest.fixture
def table(dynamodb: DynamoDBClient) -> str:
    """Make a table with one item, through the gateway."""
    name = uuid.uuid4().hex
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=name, Item={"id": {"S": "a"}, "n": {"N": "1"}})
    return name


def _set(dynamodb: DynamoDBClient, table: str, number: int) -> None:
    dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": str(number)}},
    )


def _number(dynamodb: DynamoDBClient, table: str) -> str:
    return dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})["Item"]["n"]["N"]


def test_calls_pass_through(dynamodb: DynamoDBClient, table: str) -> None:
    """Without a rule the gateway is not noticed, in answers or in errors."""
    _set(dynamodb, table, 2)
    assert "2" == _number(dynamodb, table)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(
            TableName=table,
            Item={"id": {"S": "a"}},
            ConditionExpression="attribute_not_exists(id)",
        )


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal.ACCESS_DENIED, "AccessDeniedException"),
        (Refusal.THROTTLED, "ThrottlingException"),
        (Refusal.SERVER_ERROR, "InternalServerError"),
    ],
)
def test_a_refused_call_fails_as_dynamodb_fails(
    gateway: DynamoDBGateway, dynamodb: DynamoDBClient, table: str, refusal: Refusal, code: str
) -> None:
    """A refused call raises DynamoDB's own error and changes nothing; other calls pass."""
    gateway.refuse(Rule("UpdateItem", refusal))
    with pytest.raises(ClientError) as refused:
        _set(dynamodb, table, 2)
    assert code == refused.value.response["Error"]["Code"]
    assert "1" == _number(dynamodb, table)
    assert gateway.refused > 0


def test_a_rule_may_mean_some_calls_only(
    gateway: DynamoDBGateway, dynamodb: DynamoDBClient, table: str
) -> None:
    """A rule with a condition refuses the calls that it holds for."""
    gateway.refuse(
        Rule(
            "UpdateItem",
            Refusal.ACCESS_DENIED,
            lambda call: call["ExpressionAttributeValues"][":n"] == {"N": "3"},
        )
    )
    _set(dynamodb, table, 2)
    with pytest.raises(ClientError, match="AccessDenied"):
        _set(dynamodb, table, 3)
    assert "2" == _number(dynamodb, table)


def test_rules_can_be_dropped(
    gateway: DynamoDBGateway, dynamodb: DynamoDBClient, table: str
) -> None:
    """Once everything is allowed again, refused calls pass."""
    gateway.refuse(Rule("UpdateItem", Refusal.ACCESS_DENIED))
    gateway.allow_everything()
    _set(dynamodb, table, 2)
    assert "2" == _number(dynamodb, table)
    assert 0 == gateway.refused


def _always(fault: Fault, operation: str) -> FaultRule:
    return FaultRule(fault=fault, match=Match(paths=(f"/{operation}",)), times=None)


@pytest.mark.parametrize(
    "fault", [Refusal.SERVER_ERROR.fault(effect_applied=True), Fault.reset(effect_applied=True)]
)
def test_an_answer_may_be_lost(
    gateway: DynamoDBGateway, dynamodb: DynamoDBClient, table: str, fault: Fault
) -> None:
    """A call whose answer is lost takes effect although its sender is told of a failure."""
    gateway.add_rule(_always(fault, "UpdateItem"))
    with pytest.raises((ClientError, BotoCoreError)):
        _set(dynamodb, table, 2)
    assert "2" == _number(dynamodb, table)
    assert fault.kind in {call.fault for call in gateway.requests}


def test_what_reached_the_table_is_known(
    gateway: DynamoDBGateway, dynamodb: DynamoDBClient, table: str
) -> None:
    """Each call that the table answered stands with its answer, and none that did not get there."""
    gateway.add_rule(_always(Fault.reset(), "DeleteItem"))
    with pytest.raises(BotoCoreError):
        dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    _set(dynamodb, table, 2)
    with pytest.raises(ClientError):
        _set(dynamodb, "no-such-table", 3)
    *_, made, refused = gateway.forwarded
    assert ("UpdateItem", 200, table) == (made.operation, made.status, made.call["TableName"])
    assert ("UpdateItem", 400) == (refused.operation, refused.status)
    assert not [call for call in gateway.forwarded if call.operation == "DeleteItem"]
    assert {FaultKind.RESET, None} == {call.fault for call in gateway.requests}


def test_what_it_was_asked_can_be_forgotten(
    gateway: DynamoDBGateway, dynamodb: DynamoDBClient, table: str
) -> None:
    """A long run ends with no more in memory than its last part; rules stay in force."""
    gateway.refuse(Rule("UpdateItem", Refusal.ACCESS_DENIED))
    dynamodb.get_item(TableName=table, Key={"id": {"S": "a"}})
    gateway.forget()
    assert ([], []) == (gateway.requests, gateway.forwarded)
    with pytest.raises(ClientError, match="AccessDenied"):
        _set(dynamodb, table, 2)
