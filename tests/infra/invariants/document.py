"""The catalogue as docs/invariants.md shows it; run as a program, it is written anew."""

from collections import Counter

from stacks.invariants.catalogue import CATALOGUE
from tests.infra.invariants.planted import FAULTS
from tests.infra.synthesis import ROOT

DOCUMENT = ROOT / "docs" / "invariants.md"
MARK = "a test holds it to the code. -->\n"


def catalogue() -> str:
    """Return all invariants as a table, and how many faults show each at work."""
    shown = Counter(name for fault in FAULTS for name in fault.breaks)
    rows = [
        f"| `{each.name}` | {each.severity} | {each.holds} | {each.remedy} | {shown[each.name]} |"
        for each in CATALOGUE
    ]
    count = (
        f"{len(CATALOGUE)} invariants, shown at work by {len(FAULTS)} planted faults, each planted"
        " by code and in a template."
    )
    head = ("| name | finding | what must hold | what to do | faults |", "|---|---|---|---|---|")
    return "\n".join(["", count, "", *head, *rows, ""])


def before_the_catalogue() -> str:
    """Return what the document says before the table."""
    return DOCUMENT.read_text().partition(MARK)[0] + MARK


if __name__ == "__main__":
    DOCUMENT.write_text(before_the_catalogue() + catalogue())
