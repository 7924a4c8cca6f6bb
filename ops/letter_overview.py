"""The dead letters as a person surveys them: one by one, and by cause."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ops.letter_case import Case, CaseFile
from ops.letters import Letters
from ops.moments import hours_since
from ops.verdicts import of_redrive

WORKERS = 10


def cases(letters: Letters, file: CaseFile) -> Iterator[Case]:
    """Open every letter, a batch at a time."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="letter") as pool:
        for batch in letters.batches():
            yield from pool.map(file.open, batch)


@dataclass
class Group:
    """Letters of one cause.

    Attributes:
        companies: The tenants they are of.
        oldest: When the oldest was put on the channel's queue, in epoch seconds.
    """

    letters: int = 0
    companies: set[str] = field(default_factory=set)
    oldest: float = float("inf")

    def add(self, case: Case) -> None:
        """Count one."""
        self.letters += 1
        self.companies.add(case.company_id)
        self.oldest = min(self.oldest, case.letter.sent_at)


def by_cause(found: Iterable[Case], now: float) -> list[dict[str, object]]:
    """The groups as rows, the largest first; ages are in hours."""
    groups: defaultdict[tuple[str, str, str], Group] = defaultdict(Group)
    for case in found:
        groups[case.cause, case.status, of_redrive(case, ()).advice].add(case)
    largest_first = sorted(groups.items(), key=lambda pair: -pair[1].letters)
    return [
        {
            "letters": group.letters,
            "cause": cause,
            "status": status,
            "companies": len(group.companies),
            "oldest_hours": hours_since(group.oldest, now),
            "what_to_do": advice,
        }
        for (cause, status, advice), group in largest_first
    ]


def row(case: Case, now: float) -> dict[str, object]:
    """One letter as a row; nothing of it is personal."""
    return {
        "letter": case.letter.message_id,
        "conversation": case.conversation_id,
        "company": case.company_id,
        "cause": case.cause,
        "status": case.status,
        "age_hours": hours_since(case.letter.sent_at, now),
    }
