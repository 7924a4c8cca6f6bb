"""Faults in when conversations are deleted by themselves."""

from aws_cdk import aws_dynamodb as dynamodb

from tests.infra.invariants.bench import Bench
from tests.infra.invariants.fault import fault
from tests.infra.invariants.templates import drop, put

TABLE = "AWS::DynamoDB::Table"
SPECIFICATION = "TimeToLiveSpecification"


def _never(bench: Bench) -> None:
    environment = bench.environment(conversation_retention_days=30)
    table = bench.table(environment).table.node.default_child
    assert isinstance(table, dynamodb.CfnTable)
    table.time_to_live_specification = None
    bench.processor(environment)


def _by_another(bench: Bench) -> None:
    environment = bench.environment(conversation_retention_days=30)
    table = bench.table(environment).table.node.default_child
    assert isinstance(table, dynamodb.CfnTable)
    table.add_property_override(f"{SPECIFICATION}.AttributeName", "ttl")
    bench.processor(environment)


FAULTS = (
    fault(
        "table that never deletes",
        "records-expire-as-said",
        by_code=_never,
        by_override=drop(TABLE, SPECIFICATION),
    ),
    fault(
        "table that deletes by another attribute",
        "records-expire-as-said",
        by_code=_by_another,
        by_override=put(TABLE, f"{SPECIFICATION}.AttributeName", "ttl"),
    ),
)
