"""Proof of the promise: whatever goes wrong, no message is lost and none is sent twice."""
