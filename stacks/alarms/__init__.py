"""Alarms: their rules, the constructs that create them, and the topic that they notify."""
