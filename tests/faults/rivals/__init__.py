"""Whole handlers of other designs for the same job, to be measured by the same proof.

Both take the same steps as ours, with the same SDKs, adapters and environment variables; what
differs is in which order they write and send, and what guards them against doing so twice.
"""
