"""A change to many dead letters: shown first, asked for, then made, with its progress."""

from typing import TYPE_CHECKING

from ops.letter_work import Handling, LetterWork, Tally, V

if TYPE_CHECKING:
    from ops.desk import Desk
    from ops.letters import Letters
    from ops.pace import Pace
    from ops.screen import Screen


def run(
    desk: "Desk",
    letters: "Letters",
    handling: Handling[V],
    pace: "Pace",
    *,
    limit: int | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Survey the letters, ask, and handle them.

    What is surveyed is judged anew when it is handled: what changed in between counts.

    Raises:
        Declined: The person said no.
        KeyboardInterrupt: Called off; what was done is shown, the rest is untouched.
    """
    survey, done = Tally(), Tally()

    def go(tally: Tally, *, change: bool) -> None:
        with desk.screen.progress() as bar:
            task = bar.add_task("working" if change else "looking", total=letters.count())
            work = LetterWork(
                letters, desk.case_file, handling, tally, lambda: bar.advance(task), pace.stop
            )
            work.go(change=change, limit=limit)

    go(survey, change=False)
    letters.show_again()
    is_to_act = bool(survey.acted) and not dry_run
    if not (is_to_act and desk.screen.as_json):
        _show(desk.screen, survey, "what would be done" if dry_run else "what is to be done")
    if not is_to_act:
        return
    desk.screen.confirm(f"Go on with {survey.acted} letters?", yes=yes)
    try:
        go(done, change=True)
    finally:
        _show(desk.screen, done, "what was done")


def _show(screen: "Screen", tally: Tally, title: str) -> None:
    screen.result({title.replace(" ", "_"): tally.rows(), "acted": tally.acted})
    screen.heading(title)
    screen.rows(tally.rows(), nothing="nothing: no letters of that choice are visible")
