"""Faults in what production demands of its data."""

from tests.infra.invariants.bench import production
from tests.infra.invariants.fault import Fault, fault
from tests.infra.invariants.templates import Templates, put

TABLE = "AWS::DynamoDB::Table"


def _deleted(kind: str) -> Fault:
    return fault(
        f"{kind.split('::')[2]} that is deleted with its stack",
        "production-data-is-retained",
        by_code=production(removal_policy="destroy"),
        by_override=put(kind, "/DeletionPolicy", "Delete"),
    )


def _unprotect(templates: Templates) -> None:
    templates.protected["Shared"] = False


FAULTS = (
    *map(
        _deleted,
        (TABLE, "AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::SecretsManager::Secret"),
    ),
    fault(
        "table that a change of its key deletes",
        "production-data-is-retained",
        by_code=production(removal_policy="destroy"),
        by_override=put(TABLE, "/UpdateReplacePolicy", "Delete"),
    ),
    fault(
        "table that cannot be restored",
        "production-data-can-be-restored",
        by_code=production(point_in_time_recovery=False),
        by_override=put(
            TABLE, "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled", value=False
        ),
    ),
    fault(
        "table that can be deleted",
        "production-refuses-deletion",
        by_code=production(deletion_protection=False),
        by_override=put(TABLE, "DeletionProtectionEnabled", value=False),
    ),
    fault(
        "stack that can be deleted",
        "production-refuses-deletion",
        by_code=production(),
        by_override=_unprotect,
        protected=False,
    ),
    fault(
        "log that ends with the dead letters",
        "production-logs-are-kept",
        by_code=production(log_retention_days=14),
        by_override=put("AWS::Logs::LogGroup", "RetentionInDays", 14),
    ),
)
