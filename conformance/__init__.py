"""Checks of what every channel must satisfy, for the channels of any repository.

`Subject` describes a channel: its template, its runtime's parts, a valid context object and a fake
of its vendor. Each check takes a subject and yields the problems it finds; a conforming channel has
none.
"""

from collections.abc import Callable, Iterator

from conformance import runtime_checks, template_checks
from conformance.completeness import missing_parts, vendor_file
from conformance.privileges import check_privileges
from conformance.subject import Subject, Vendor

__all__ = ["CHECKS", "Check", "Subject", "Vendor", "missing_parts", "vendor_file"]

Check = Callable[[Subject], Iterator[str]]
"""Yields what is wrong with a channel, in words that name the place."""

CHECKS: tuple[Check, ...] = (
    template_checks.check_resource_names,
    template_checks.check_event_source,
    template_checks.check_alarms,
    check_privileges,
    template_checks.check_environment,
    template_checks.check_delivery_events,
    runtime_checks.check_send,
    runtime_checks.check_aws_faults,
    runtime_checks.check_reconciliation,
    runtime_checks.check_unknown_send,
    runtime_checks.check_rejection,
    runtime_checks.check_rate_limit,
    runtime_checks.check_invalid_input,
    runtime_checks.check_foreign_input,
    runtime_checks.check_log_privacy,
)
"""Every check, in the order of a report."""
