"""The containers of a schedule: who of them goes on, how far, and what happens to them."""

from collections.abc import Sequence

from lambda_src.core.batch import BatchHandler
from lambda_src.core.contract import Status
from tests.faults.schedules.container import Alter, Container
from tests.faults.schedules.judge import Judge
from tests.faults.schedules.picking import pick
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.sqs import QueueMessage
from tests.faults.schedules.story import Piece
from tests.faults.schedules.surroundings import Surroundings
from tests.faults.schedules.tasks import Author, Moment, Stand, Task
from tests.faults.schedules.troubles import TROUBLES, trouble_of
from tests.unit.fakes.clock import START

SKEWS = (0.0, 1.0, -1.0)
"""Seconds by which containers' clocks are beside the true time."""
MARKS = tuple(
    Stand(moment, call)
    for call in (
        "conversations.take_over",
        "writer.write",
        "conversations.begin_send",
        "sender.send",
        "conversations.record_sent",
        "conversations.record_failure",
        "sender.find",
        "conversations.count_look",
        "conversations.declare_unknown",
        "mapping.delete",
    )
    for moment in Moment
)
"""Where a container may be led at once."""


def unaltered(handler: BatchHandler) -> BatchHandler:
    """The handler as it is."""
    return handler


class Workers:
    """Moves the containers, each public method but `begin` by an action of a schedule.

    `worker` counts the containers at work, `turn` the tasks of one that can go on, both round and
    round.

    Args:
        world: What the containers share.
        containers: Where they are kept.
        judge: Judges whatever a piece of work concerned.
        alter: What is done to every handler.

    Attributes:
        story: What happened, piece by piece.
    """

    ACTIONS = ("go", "go_to", "finish", "trouble", "trouble_at", "kill", "kill_at", "beat", "hang")

    def __init__(
        self, world: Surroundings, containers: list[Container], judge: Judge, alter: Alter
    ) -> None:
        self.containers = containers
        self.story: list[Piece] = []
        self._world = world
        self._judge = judge
        self._alter = alter

    @property
    def busy(self) -> list[Container]:
        """The containers at work."""
        return [container for container in self.containers if container.is_busy]

    def begin(self, messages: Sequence[QueueMessage]) -> None:
        """A container gets a batch, just received."""
        self._idle().begin(messages)

    def go(self, worker: int, turn: int, pieces: int) -> None:
        """One task of a container goes on, up to so many times."""
        container = pick(self.busy, worker)
        task = pick(container.ready, turn)
        while pieces and task.is_ready:
            self._go_on(container, task)
            pieces -= 1

    def go_to(self, worker: int, mark: str) -> None:
        """A container goes on until a task stands at that mark, or its batch is over."""
        self._lead(pick(self.busy, worker), Stand.read(mark))

    def finish(self, worker: int) -> None:
        """A container goes on until its batch is over."""
        container = pick(self.busy, worker)
        while container.is_busy:
            self._go_on(container, container.ready[-1])

    def finish_all(self) -> None:
        """Every container goes on as long as it can, also with what is left over of a batch."""
        for container in self.containers:
            while container.ready:
                self._go_on(container, container.ready[-1])

    def trouble(self, worker: int, turn: int, which: int) -> None:
        """The call before which a task stands goes wrong."""
        container = pick(self.busy, worker)
        task = pick(container.ready, turn)
        if task.at and task.at.moment is Moment.BEFORE and task.at.call in TROUBLES:
            task.trouble = pick(TROUBLES[task.at.call], which)
            self._go_on(container, task)

    def trouble_at(self, worker: int, call: str, trouble: str) -> None:
        """A container goes on until it is about to make that call, which then goes wrong."""
        container = pick(self.busy, worker)
        if task := self._lead(container, Stand(Moment.BEFORE, call)):
            task.trouble = trouble_of(call, trouble)
            self._go_on(container, task)

    def kill_at(self, worker: int, mark: str) -> None:
        """A container goes on until a task stands at that mark, and is killed there."""
        if self._lead(pick(self.busy, worker), Stand.read(mark)):
            self.kill(worker)

    def kill(self, worker: int) -> None:
        """A container's process is gone, wherever it is."""
        container = pick(self.busy, worker)
        for task in container.tasks:
            if task.author and not task.dead:
                self._note_death(task, task.author)
        container.kill()

    def beat(self, worker: int, pieces: int) -> None:
        """A container's heart beats, and that beat goes on up to so many times."""
        heart = pick(self.busy, worker).heart
        if heart:
            heart.beat()
            self.go(worker, -1, pieces)

    def hang(self, worker: int) -> None:
        """A container's beat is not waited for any longer."""
        heart = pick(self.busy, worker).heart
        if heart and heart.is_beating:
            heart.is_given_up = True
            self._world.witness.reached.add(Reached.HEARTBEAT_HUNG)

    def _lead(self, container: Container, mark: Stand) -> Task | None:
        """Let a container go on until a task stands there, which is returned."""
        while container.is_busy:
            for task in container.ready:
                if task.at == mark:
                    return task
            self._go_on(container, container.ready[-1])
        return None

    def _idle(self) -> Container:
        for container in self.containers:
            if not (container.is_busy or container.is_dead):
                return container
        skew = SKEWS[len(self.containers) % len(SKEWS)]
        self.containers.append(Container(self._world, skew, self._alter))
        return self.containers[-1]

    def _go_on(self, container: Container, task: Task) -> None:
        task.go_on()
        self._tell(container, task)
        if container.is_busy and container.has_no_time:
            self._world.witness.reached.add(Reached.OUTLIVED)
        if task.author:
            self._judge.judge(task.author.key)
        else:
            self._judge.judge_all()

    def _tell(self, container: Container, task: Task) -> None:
        record = self._world.table.records.get(task.author.key) if task.author else None
        self.story.append(
            Piece(
                self._world.clock() - START,
                self.containers.index(container),
                task.author,
                None if task.dead else task.at,
                record.status if record else "",
            )
        )

    def _note_death(self, task: Task, author: Author) -> None:
        reached = self._world.witness.reached
        record = self._world.table.records.get(author.key)
        if task.at and task.at.call == "conversations.declare_unknown":
            reached.add(Reached.KILLED_DECLARING)
        if record and record.status is Status.SENDING and record.owner == author.owner:
            is_sent = bool(self._world.witness.open(author.key).sids)
            reached.add(Reached.KILLED_AFTER_SEND if is_sent else Reached.KILLED_BEFORE_SEND)
