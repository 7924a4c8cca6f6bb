"""What happened in a schedule, for people to read."""

from typing import NamedTuple

from tests.faults.schedules.tasks import Author, Stand


class Piece(NamedTuple):
    """One piece of work: when, in which container, whose, where it ended, and the record then."""

    seconds: float
    container: int
    author: Author | None
    stands: Stand | None
    status: str

    def __str__(self) -> str:
        whose = f"{self.author.owner} of {self.author.key.conversation_id}" if self.author else "-"
        where = str(self.stands or "done")
        return f"{self.seconds:7.1f}s container {self.container} {whose} {where} {self.status}"
