"""The table of planted faults: each breaks its invariants, in both of the ways to plant it."""

from tests.infra.invariants.planted import (
    alarms,
    capacity,
    deliveries,
    log_filters,
    privacy,
    production,
    secrets,
    times,
    variables,
)

FAULTS = (
    *deliveries.FAULTS,
    *times.FAULTS,
    *capacity.FAULTS,
    *variables.FAULTS,
    *alarms.FAULTS,
    *log_filters.FAULTS,
    *secrets.FAULTS,
    *production.FAULTS,
    *privacy.FAULTS,
)
