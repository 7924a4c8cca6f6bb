"""Writes the catalogue of docs/invariants.md: `python -m tests.infra.invariants.document`."""

from collections import Counter

from stacks.invariants.plugin import CATALOGUE
from tests.infra.invariants.planted_faults import FAULTS
from tests.infra.synthesis import ROOT

DOCUMENT = ROOT / "docs" / "invariants.md"
MARK = "a test compares it with the code. -->\n"


def document() -> str:
    """Return the document with the catalogue as the code has it."""
    faults = Counter(name for fault in FAULTS for name in fault.violates)
    rows = [
        f"| `{each.name}` | {each.severity} | {each.holds} | {each.remedy} | {faults[each.name]} |"
        for each in CATALOGUE
    ]
    count = f"{len(CATALOGUE)} invariants, tested by {len(FAULTS)} planted faults."
    head = ("| name | finding | rule | remedy | faults |", "|---|---|---|---|---|")
    text = DOCUMENT.read_text().partition(MARK)[0] + MARK
    return "\n".join([text, count, "", *head, *rows, ""])


if __name__ == "__main__":
    DOCUMENT.write_text(document())
