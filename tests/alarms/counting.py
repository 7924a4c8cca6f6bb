"""Which metric filters of the template count which lines."""

from collections import Counter
from collections.abc import Iterable

from local.filter_pattern import FilterPattern
from tests.infra.synthesis import Synthesized


def counted(dev: Synthesized, lines: Iterable[str]) -> Counter[str]:
    """Return how many of the lines each metric filter of the channel counts, by its name."""
    patterns = filter_patterns(dev)
    return Counter(
        name for line in lines for name, pattern in patterns.items() if pattern.matches(line)
    )


def filter_patterns(dev: Synthesized) -> dict[str, FilterPattern]:
    """Return the patterns of the channel's metric filters by the filters' names."""
    return {
        resource["Properties"]["FilterName"]: FilterPattern(resource["Properties"]["FilterPattern"])
        for resource in dev.resources("WhatsApp", "AWS::Logs::MetricFilter")
    }
