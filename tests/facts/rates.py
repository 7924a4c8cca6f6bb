"""How often the check of facts is wrong, by kind and language."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from lambda_src.core.drafts.facts import FactKind, KnownFacts
from tests.faults.report import Table

SAMPLE = Path(__file__).with_name("cases.json")
"""Some of the generated cases, so that the tests need no locale data."""
MAX_FALSE_POSITIVES, MAX_FALSE_NEGATIVES = 0.02, 0.05
"""Goals for each kind of fact."""


@dataclass(frozen=True, slots=True)
class Case:
    """A value in an input, and two texts: one with the same value, and one with another.

    Attributes:
        kind: The kind of fact.
        locale: The language of the texts.
        source: A text of the input, mostly in another language.
        text: What the input supports.
        changed: What it does not.
    """

    kind: str
    locale: str
    source: str
    text: str
    changed: str

    @property
    def is_false_positive(self) -> bool:
        """Return whether anything in the supported text is reported."""
        return bool(KnownFacts.of([self.source]).unsupported(self.text))

    @property
    def is_false_negative(self) -> bool:
        """Return whether the changed value is not reported as what it is."""
        reported = KnownFacts.of([self.source]).unsupported(self.changed)
        return self.kind not in [fact.kind for fact in reported]


@dataclass(frozen=True, slots=True)
class Rates:
    """Wrong results among the cases, by kind and language."""

    cases: Counter[tuple[str, str]]
    false_positives: Counter[tuple[str, str]]
    false_negatives: Counter[tuple[str, str]]

    def of_kind(self, kind: str) -> tuple[float, float]:
        """Return the shares of false positives and false negatives in all languages."""
        total, positives, negatives = (
            sum(count for (each, _), count in counter.items() if each == kind)
            for counter in (self.cases, self.false_positives, self.false_negatives)
        )
        return positives / total, negatives / total

    def is_met(self) -> bool:
        """Return whether both goals are met for every kind."""
        return all(
            positives <= MAX_FALSE_POSITIVES and negatives <= MAX_FALSE_NEGATIVES
            for positives, negatives in map(self.of_kind, FactKind)
        )

    def tables(self) -> Iterator[Table]:
        """Yield the shares by kind, and the counts by kind and language."""
        yield Table(
            "By kind",
            ("kind", "cases", "false positives", "goal", "false negatives", "goal"),
            tuple(self._row(kind) for kind in FactKind),
        )
        locales = tuple(dict.fromkeys(locale for _, locale in self.cases))
        yield Table(
            "By kind and language",
            ("language", *FactKind),
            tuple((each, *(self._cell(kind, each) for kind in FactKind)) for each in locales),
            "False positives / false negatives.",
        )

    def _row(self, kind: str) -> tuple[str, ...]:
        positives, negatives = self.of_kind(kind)
        count = sum(count for (each, _), count in self.cases.items() if each == kind)
        return (
            kind,
            f"{count:,}",
            f"{positives:.1%}",
            f"≤ {MAX_FALSE_POSITIVES:.0%}",
            f"{negatives:.1%}",
            f"≤ {MAX_FALSE_NEGATIVES:.0%}",
        )

    def _cell(self, kind: str, locale: str) -> str:
        return f"{self.false_positives[kind, locale]} / {self.false_negatives[kind, locale]}"


def measure(cases: Iterable[Case]) -> Rates:
    """Check every case."""
    rates = Rates(Counter(), Counter(), Counter())
    for case in cases:
        key = (case.kind, case.locale)
        rates.cases[key] += 1
        rates.false_positives[key] += case.is_false_positive
        rates.false_negatives[key] += case.is_false_negative
    return rates


def read_sample() -> list[Case]:
    """Return the stored cases."""
    return [Case(*fields) for fields in json.loads(SAMPLE.read_text("utf-8"))]


def write_sample(cases: Iterable[Case]) -> None:
    """Store cases, one a line."""
    lines = ",\n".join(json.dumps(astuple(case), ensure_ascii=False) for case in cases)
    SAMPLE.write_text(f"[\n{lines}\n]\n", "utf-8")


def describe(case: Case) -> str:
    """Return a case for a failing test."""
    return json.dumps(asdict(case), ensure_ascii=False)
