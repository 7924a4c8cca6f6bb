"""What an environment says of itself, as its templates carry it to the invariants."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from stacks.environments import Environment
from stacks.tiers import Tier

METADATA = "Invariants"
"""The key of a template's metadata that the facts stand under, and the mark of being guarded."""
WORDS = frozenset({"environment", "tier"})
"""The facts that are no numbers."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The keys of an environment that invariants hold templates against, by their names there."""

    environment: str = ""
    tier: Tier = Tier.DEVELOPMENT
    messages_per_second: Mapping[str, float] = field(default_factory=dict)
    ai_seconds_per_message: float | None = None
    openai_requests_per_minute: int | None = None
    openai_tokens_per_minute: int | None = None
    tokens_per_message: int | None = None
    messages_per_day: Mapping[str, float] = field(default_factory=dict)
    peak_hour_share: float | None = None
    longest_wait_seconds: int | None = None

    @classmethod
    def of(cls, environment: Environment) -> Self:
        """Return an environment's facts."""
        names = {key.name for key in fields(cls)} - {"environment"}
        return cls(
            environment=environment.name, **{name: getattr(environment, name) for name in names}
        )

    @classmethod
    def read(cls, template: Mapping[str, Any]) -> Self | None:
        """Return the facts that a template carries; None if none of our constructs is in it."""
        carried = template.get("Metadata", {}).get(METADATA)
        if carried is None:
            return None
        numbers = {name: _read(value) for name, value in carried.items() if name not in WORDS}
        return cls(**carried | numbers | {"tier": Tier(carried["tier"])})

    def as_metadata(self) -> dict[str, Any]:
        """Return what a template carries of them: what is said, and nothing of the rest."""
        said = {name: value for name, value in asdict(self).items() if value not in ("", None, {})}
        written = {name: _written(value) for name, value in said.items()}
        return written | {"tier": self.tier.value}


def _written(value: Any) -> Any:
    # A template's metadata has no fractions (cfn-lint E4002), but texts.
    if isinstance(value, Mapping):
        return {name: _written(part) for name, part in value.items()}
    return str(value) if isinstance(value, float) else value


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _read(part) for name, part in value.items()}
    return float(value) if isinstance(value, str) else value
