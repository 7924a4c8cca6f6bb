"""Opt-outs and erasure are respected, and no personal data reaches logs, metrics or errors."""
