"""How long a record is kept: DynamoDB deletes it some time after its `expires_at`.

An open send never expires: a record that says `sending` or `send_unknown` is all that keeps its
message from being sent again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lambda_src.core.contract import EXPIRES_AT
from lambda_src.services.dynamodb_update import FOR_GOOD, UNCHANGED, Update


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days a record is kept after its last turn; None keeps it for good."""

    days: int | None

    def of_record(self, record: Mapping[str, Any], at: float) -> dict[str, Any]:
        """Return a new record with its end, made at that time (epoch seconds)."""
        return {**record, **self._end(EXPIRES_AT, at)}

    def of_update(self, update: Update) -> tuple[str, dict[str, Any]]:
        """Return an update's expression and values, with what it means for the record's end."""
        if update.kept_from is UNCHANGED:
            return update.expression, dict(update.values)
        if update.kept_from is FOR_GOOD or self.days is None:
            return _removing(update.expression), dict(update.values)
        expression = update.expression.replace("SET ", f"SET {EXPIRES_AT} = :end, ", 1)
        return expression, {**update.values, **self._end(":end", update.kept_from)}

    def _end(self, name: str, at: float) -> dict[str, int]:
        kept = timedelta(days=self.days or 0)
        return {name: int(at + kept.total_seconds())} if self.days else {}


KEPT_FOR_GOOD = Retention(None)


def _removing(expression: str) -> str:
    joint = ", " if " REMOVE " in expression else " REMOVE "
    return f"{expression}{joint}{EXPIRES_AT}"
