"""How often the check of facts is wrong, by kind and language."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field
from functools import cache
from pathlib import Path

from lambda_src.core.drafts.facts import FactKind, KnownFacts, leaf_texts
from tests.faults.report import Table

SAMPLE = Path(__file__).with_name("cases.json")
"""Some of the generated cases, so that the tests need no locale data."""
EXAMPLE = Path(__file__).parents[2] / "examples" / "contexts" / "whatsapp.json"
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

    def check(self) -> tuple[bool, bool]:
        """Return whether it is a false positive, and whether it is a false negative.

        The former is anything that is reported in the supported text, the latter a changed value
        that is not reported as what it is. The input has an example's data beside the value.
        """
        known = KnownFacts.of([self.source, *_example_texts()])
        reported = [fact.kind for fact in known.unsupported(self.changed)]
        return bool(known.unsupported(self.text)), self.kind not in reported


@cache
def _example_texts() -> tuple[str, ...]:
    front = json.loads(EXAMPLE.read_text("utf-8"))["frontend_payload"]
    return tuple(leaf_texts(front["project_data"]))


@dataclass(frozen=True, slots=True)
class Rates:
    """Wrong results among the cases, by kind and language, and the cases with one."""

    cases: Counter[tuple[str, str]]
    false_positives: Counter[tuple[str, str]]
    false_negatives: Counter[tuple[str, str]]
    wrong: list[Case] = field(default_factory=list)

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

    def tables(self, title: str) -> Iterator[Table]:
        """Yield the shares by kind, and the counts by language and kind."""
        yield Table(
            title,
            ("kind", "cases", "false positives", "goal", "false negatives", "goal"),
            tuple(self._row(kind) for kind in FactKind),
        )
        locales = tuple(dict.fromkeys(locale for _, locale in self.cases))
        yield Table(
            f"{title}, by language",
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
        is_positive, is_negative = case.check()
        rates.false_positives[key] += is_positive
        rates.false_negatives[key] += is_negative
        if is_positive or is_negative:
            rates.wrong.append(case)
    return rates


def read_sample() -> list[Case]:
    """Return the stored cases."""
    return [Case(*fields) for fields in json.loads(SAMPLE.read_text("utf-8"))]


def write_sample(cases: Iterable[Case]) -> None:
    """Store cases, one a line."""
    lines = ",\n".join(json.dumps(astuple(case), ensure_ascii=False) for case in cases)
    SAMPLE.write_text(f"[\n{lines}\n]\n", "utf-8")
