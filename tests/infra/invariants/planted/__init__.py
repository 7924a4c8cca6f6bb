"""The table of planted faults: each breaks its invariants, in both of the ways to plant it."""

from tests.infra.invariants.planted import (
    alarms,
    capacity,
    deliveries,
    expiry,
    log_filters,
    measurements,
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
    *measurements.FAULTS,
    *secrets.FAULTS,
    *production.FAULTS,
    *expiry.FAULTS,
    *privacy.FAULTS,
)
