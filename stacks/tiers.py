"""What an environment is for, which decides what is demanded of it."""

from enum import StrEnum


class Tier(StrEnum):
    """From a place to try things out to the real one; each demands what the one before does."""

    DEVELOPMENT = "development"
    """Nobody need be woken, and its data can be made again."""
    STAGING = "staging"
    """Somebody hears its alarms."""
    PRODUCTION = "production"
    """Real people's conversations: its data outlives mistakes."""
