"""A change to many dead letters: shown first, asked for, then made, with its progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from ops.letter_work import Handling, LetterWork, Tally, V

if TYPE_CHECKING:
    from ops.desk import Desk
    from ops.letters import Letters
    from ops.pace import Pace
    from ops.screen import Screen


@dataclass(frozen=True)
class LetterRun(Generic[V]):
    """One command's way through the letters.

    Attributes:
        desk: Where it is given.
        letters: The dead letters.
        handling: What it makes of each.
        pace: How fast.
        limit: How many letters something is done about at most.
    """

    desk: Desk
    letters: Letters
    handling: Handling[V]
    pace: Pace
    limit: int | None

    def go(self, *, dry_run: bool, yes: bool) -> None:
        """Survey the letters, ask, and handle them.

        What is surveyed is judged anew when it is handled: what changed in between counts.

        Raises:
            Declined: The person said no.
            KeyboardInterrupt: Called off; what was done is shown, the rest is untouched.
        """
        screen, survey, done = self.desk.screen, Tally(), Tally()
        self._go_through(survey, change=False)
        self.letters.show_again()
        is_to_act = bool(survey.acted) and not dry_run
        if not (is_to_act and screen.as_json):
            _show(screen, survey, "what would be done" if dry_run else "what is to be done")
        if not is_to_act:
            return
        staying = sum(survey.counts.values()) - survey.acted
        rest = f" The other {staying} stay." if staying else ""
        screen.confirm(f"Go on with {survey.acted} letters?{rest}", yes=yes)
        try:
            self._go_through(done, change=True)
        finally:
            _show(screen, done, "what was done")

    def _go_through(self, tally: Tally, *, change: bool) -> None:
        with self.desk.screen.progress() as bar:
            title = "working" if change else "looking"
            task = bar.add_task(title, total=self.letters.count())
            work = LetterWork(
                self.letters,
                self.desk.case_file,
                self.handling,
                tally,
                seen=lambda: bar.advance(task),
                call_off=self.pace.stop,
            )
            work.go(change=change, limit=self.limit)


def _show(screen: Screen, tally: Tally, title: str) -> None:
    screen.result({title.replace(" ", "_"): tally.rows(), "acted": tally.acted})
    screen.heading(title)
    screen.rows(tally.rows(), nothing="nothing: no letters of that choice are visible")
