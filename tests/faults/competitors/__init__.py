"""Handlers of other designs for the same job, measured by the same faults and rules."""
