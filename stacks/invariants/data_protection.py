"""Protection of data: retention in production, expiry of records, encryption."""

from collections.abc import Iterator

from lambda_src.core.contract import EXPIRES_AT, Variable
from stacks.config.environments import Tier
from stacks.invariants.assembly import (
    KEY,
    LOG_GROUP,
    QUEUE,
    TABLE,
    TOPIC,
    VARIABLES,
    Assembly,
    Resource,
    denies_plain_connections,
    processor_functions,
)
from stacks.invariants.invariant import Finding, invariant

STATEFUL = (TABLE, LOG_GROUP, QUEUE, "AWS::SecretsManager::Secret", KEY)

RETAINED = {"Retain", "RetainExceptOnCreate"}

MIN_LOG_DAYS = 30
"""Twice the 14 days of the dead-letter queue: a dead letter's log must still exist."""

RECOVERY = "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"

TIME_TO_LIVE = "TimeToLiveSpecification"

RESOURCE_POLICIES = {
    QUEUE: ("AWS::SQS::QueuePolicy", "Queues"),
    TOPIC: ("AWS::SNS::TopicPolicy", "Topics"),
}
"""Types of resources with a policy: the policy's type, and its property that names the resource."""


def _in_production(assembly: Assembly, *types: str) -> Iterator[Resource]:
    found = assembly.resources(*types)
    return (resource for resource in found if resource.metadata.tier is Tier.PRODUCTION)


@invariant(
    "production-data-is-retained",
    holds="In production tables, queues, logs, secrets and keys survive changes and deletion.",
    remedy="Set `removal_policy` of the environment to `retain`.",
)
def production_data_is_retained(assembly: Assembly) -> Iterator[Finding]:
    """By default CloudFormation deletes resources with their stack."""
    for resource in _in_production(assembly, *STATEFUL):
        for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
            policy = resource.body.get(attribute, "Delete")
            if policy not in RETAINED:
                yield Finding(resource, attribute, f"is {policy} in production")


@invariant(
    "production-data-can-be-restored",
    holds="In production each table has point-in-time recovery.",
    remedy="Set `point_in_time_recovery` of the environment to true.",
)
def production_data_can_be_restored(assembly: Assembly) -> Iterator[Finding]:
    """A wrong write is as bad as a deletion."""
    for table in _in_production(assembly, TABLE):
        if table.value(RECOVERY) is not True:
            yield Finding(table, RECOVERY, "is not on in production")


@invariant(
    "production-refuses-deletion",
    holds="In production tables and stacks have deletion protection.",
    remedy="Set `deletion_protection` of the environment to true.",
)
def production_refuses_deletion(assembly: Assembly) -> Iterator[Finding]:
    """A deletion takes two steps: the protection has to be removed first."""
    for table in _in_production(assembly, TABLE):
        if table.value("DeletionProtectionEnabled") is not True:
            yield Finding(table, "DeletionProtectionEnabled", "is not on in production")
    for template in assembly.checked:
        is_production = template.metadata and template.metadata.tier is Tier.PRODUCTION
        if is_production and not template.is_protected:
            yield Finding(template, "terminationProtection", "is not on in production")


@invariant(
    "production-logs-are-kept",
    holds=f"In production logs are kept for at least {MIN_LOG_DAYS} days.",
    remedy="Raise `log_retention_days` of the environment.",
)
def production_logs_are_kept(assembly: Assembly) -> Iterator[Finding]:
    """A log group without a retention keeps its lines indefinitely."""
    for group in _in_production(assembly, LOG_GROUP):
        days = group.integer("RetentionInDays")
        if days is not None and days < MIN_LOG_DAYS:
            problem = f"is {days} days in production, less than {MIN_LOG_DAYS}"
            yield Finding(group, "RetentionInDays", problem)


@invariant(
    "records-expire-as-said",
    holds="If a processor sets an expiry time on its records, the table deletes expired records.",
    remedy=f"Set `time_to_live_attribute` of the table to `{EXPIRES_AT}`.",
)
def records_expire_as_said(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise personal data is kept longer than documented."""
    for function in processor_functions(assembly):
        if Variable.CONVERSATION_RETENTION_DAYS not in function.variables:
            continue
        name = function.resource.value(f"{VARIABLES}.{Variable.CONVERSATIONS_TABLE}")
        table = assembly.resolve(function.resource.template, name, TABLE)
        expected = {"AttributeName": EXPIRES_AT, "Enabled": True}
        if table and table.value(TIME_TO_LIVE) != expected:
            problem = f"does not delete by {EXPIRES_AT!r}, the attribute of the records"
            yield Finding(table, TIME_TO_LIVE, problem)


@invariant(
    "queues-are-encrypted",
    holds="Each queue is encrypted at rest, by SQS or with a key.",
    remedy="Give the queue an `encryption`.",
)
def queues_are_encrypted(assembly: Assembly) -> Iterator[Finding]:
    """SQS encrypts by default, but the template must not depend on the default."""
    for queue in assembly.resources(QUEUE):
        is_encrypted = queue.value("SqsManagedSseEnabled") is True or queue.value("KmsMasterKeyId")
        if not is_encrypted:
            yield Finding(queue, "SqsManagedSseEnabled", "is not on, and no key is named")


@invariant(
    "connections-are-encrypted",
    holds="Each queue and each topic denies requests without TLS.",
    remedy="Set `enforce_ssl=True`.",
)
def connections_are_encrypted(assembly: Assembly) -> Iterator[Finding]:
    """AWS accepts plain HTTP unless a policy denies it."""
    for resource in assembly.resources(*RESOURCE_POLICIES):
        policy_type, attached_by = RESOURCE_POLICIES[resource.type]
        if not denies_plain_connections(assembly.statements(resource, policy_type, attached_by)):
            yield Finding(resource, policy_type.rpartition(":")[2], "allows requests without TLS")
