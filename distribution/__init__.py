"""Build and check the distribution for other repositories, its public API and the API pages."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PUBLIC = (
    "ai_multi_comms.constructs",
    "ai_multi_comms.kit",
    "ai_multi_comms.local_cloud",
    "lambda_src.processors",
)
"""Modules whose `__all__` is public."""
