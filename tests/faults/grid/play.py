"""One cell from its beginning to its end: the story, the fault, the company, the judgement."""

from collections.abc import Iterator

from tests.faults.grid import people
from tests.faults.grid.befalling import befall
from tests.faults.grid.calls import BEAT
from tests.faults.grid.cells import Cell
from tests.faults.grid.evidence import evidence_of, is_settled_somehow
from tests.faults.grid.faults import KILLS, Company
from tests.faults.grid.held import Held
from tests.faults.grid.journal import Happening
from tests.faults.grid.mapping import Attendance, EventSourceMapping
from tests.faults.grid.recording import story_of
from tests.faults.grid.results import CellResult
from tests.faults.grid.runner import Runner
from tests.faults.grid.world import World
from tests.faults.person import Decision
from tests.faults.rules import Evidence, Rule, broken_rules

FROZEN_SECONDS = 100.0
"""Longer than a lease, a visibility that nobody renews, and any sender's deadline."""
ROUNDS = 4
"""How often people tidy up, at most."""


class Play:
    """One cell, to be played once in a world of its own."""

    def __init__(self, cell: Cell, world: World) -> None:
        self._cell = cell
        self._story = cell.story
        self._world = world
        self._mapping = EventSourceMapping(world)
        self._messages = [world.enqueue()]
        self._broken: set[Rule] = set()
        self._releases = self._people = 0
        self._back_after: float | None = None
        self._is_reached = self._is_unresolved = False

    def results(self) -> Iterator[CellResult]:
        """Play it, and tell what became of it; before, of the cells that it goes through."""
        for delivery in range(1, self._story.examined + 1):
            self._mapping.deliver_next(self._attendance(delivery))
            moment = self._judge(is_over=False)
        for cell in self._cell.passed:
            if cell.company is Company.LATE:
                self._enqueue_again()
            if cell.company is not Company.ALONE:
                moment = self._to_the_end()
            yield self._result(cell, moment)

    def _result(self, cell: Cell, ending: Evidence) -> CellResult:
        return CellResult(
            cell=cell,
            broken=tuple(rule for rule in Rule if rule in self._broken),
            is_unresolved=self._is_unresolved,
            people=self._people,
            ending=ending,
            is_reached=self._is_reached,
            story=self._world.journal.story(),
            log=self._world.log(),
        )

    def _attendance(self, delivery: int) -> Attendance:
        story = story_of(self._world, delivery)
        if delivery != self._story.examined:
            return story

        def deal(held: Held, runner: Runner) -> None:
            (self._let_it_happen if held.call == self._cell.call else story.deal)(held, runner)

        return Attendance(lambda call: call == self._cell.call or story.holds(call), deal)

    def _let_it_happen(self, held: Held, runner: Runner) -> None:
        self._is_reached = True
        if self._cell.company is Company.CONCURRENT and not held.is_repeated:
            runner.freeze()  # so that no timeout of a socket ends meanwhile
            self._enqueue_again()
            self._mapping.deliver_visible()
        befall(self._cell.fault, held, runner, self._world.services, self._meanwhile)
        if self._cell.fault in KILLS and self._has_beaten(runner):
            self._back_after = self._world.queue.seconds_until_visible(runner.message_id)

    def _meanwhile(self) -> None:
        self._world.let_pass(FROZEN_SECONDS)
        if self._cell.company is not Company.ALONE:
            self._mapping.deliver_visible()

    def _has_beaten(self, runner: Runner) -> bool:
        return any(
            event.worker == runner.number
            and event.call.kind.startswith(BEAT)
            and event.what is Happening.APPLIED
            for event in self._world.journal.events
        )

    def _enqueue_again(self) -> None:
        self._messages.append(self._world.enqueue())

    def _to_the_end(self) -> Evidence:
        for _ in range(ROUNDS):
            while self._mapping.deliver_next():
                self._judge(is_over=False)
            left = self._evidence(is_over=True)
            self._is_unresolved |= not is_settled_somehow(left, self._world.record)
            if not self._tidied_up():
                break
        return self._judge(is_over=True)

    def _tidied_up(self) -> bool:
        decision = people.decide_on(self._world)
        self._releases += decision is Decision.RELEASED
        is_redriven = people.redrive(self._world)
        self._people += decision is not Decision.NOTHING or is_redriven
        return is_redriven

    def _judge(self, *, is_over: bool) -> Evidence:
        evidence = self._evidence(is_over=is_over)
        self._broken |= set(broken_rules(evidence))
        return evidence

    def _evidence(self, *, is_over: bool) -> Evidence:
        return evidence_of(
            self._world,
            self._messages,
            releases=self._releases,
            is_over=is_over,
            is_refused=self._cell.is_refused,
            back_after=self._back_after,
        )
