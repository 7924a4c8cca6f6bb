"""What production demands of its data: that nothing but a person's two deeds deletes it."""

from collections.abc import Iterator

from stacks.invariants.assembly import Assembly, Resource
from stacks.invariants.invariant import Finding, invariant
from stacks.tiers import Tier

TABLE = "AWS::DynamoDB::Table"
GROUP = "AWS::Logs::LogGroup"
STATEFUL = (TABLE, GROUP, "AWS::SQS::Queue", "AWS::SecretsManager::Secret", "AWS::KMS::Key")

KEPT = {"Retain", "RetainExceptOnCreate"}

LEAST_LOG_DAYS = 30
"""The log that explains a dead letter outlives it: 14 days in its queue, and as many again."""


def _in_production(assembly: Assembly, *kinds: str) -> Iterator[Resource]:
    found = assembly.of(*kinds)
    return (resource for resource in found if resource.facts.tier is Tier.PRODUCTION)


@invariant(
    "production-data-is-retained",
    holds="In production tables, queues, logs, secrets and keys outlive their stack and a change.",
    remedy="Set `removal_policy` of the environment to `retain`.",
)
def production_data_is_retained(assembly: Assembly) -> Iterator[Finding]:
    """CloudFormation deletes with a stack what it is not told to keep."""
    for resource in _in_production(assembly, *STATEFUL):
        for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
            policy = resource.body.get(attribute, "Delete")
            if policy not in KEPT:
                yield Finding(resource, attribute, f"is {policy} in production")


@invariant(
    "production-data-can-be-restored",
    holds="In production each table can be wound back to any point in time.",
    remedy="Set `point_in_time_recovery` of the environment to true.",
)
def production_data_can_be_restored(assembly: Assembly) -> Iterator[Finding]:
    """A wrong write is as bad as a deletion."""
    path = "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled"
    for table in _in_production(assembly, TABLE):
        if table.value(path) is not True:
            yield Finding(table, path, "is not on in production")


@invariant(
    "production-refuses-deletion",
    holds="In production tables and stacks refuse to be deleted.",
    remedy="Set `deletion_protection` of the environment to true.",
)
def production_refuses_deletion(assembly: Assembly) -> Iterator[Finding]:
    """Two deeds, not one: first the protection is taken off."""
    for table in _in_production(assembly, TABLE):
        if table.value("DeletionProtectionEnabled") is not True:
            yield Finding(table, "DeletionProtectionEnabled", "is not on in production")
    for template in assembly.guarded:
        is_production = template.facts and template.facts.tier is Tier.PRODUCTION
        if is_production and not template.is_protected:
            yield Finding(template, "terminationProtection", "is not on in production")


@invariant(
    "production-logs-are-kept",
    holds=f"In production logs are kept {LEAST_LOG_DAYS} days or more.",
    remedy="Raise `log_retention_days` of the environment.",
)
def production_logs_are_kept(assembly: Assembly) -> Iterator[Finding]:
    """A log group without a retention keeps its lines for ever."""
    for group in _in_production(assembly, GROUP):
        days = group.whole("RetentionInDays")
        if days is not None and days < LEAST_LOG_DAYS:
            problem = f"is {days} days in production, less than {LEAST_LOG_DAYS}"
            yield Finding(group, "RetentionInDays", problem)
