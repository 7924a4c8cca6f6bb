"""Moves of several steps, which lead to where the promise is put to the test."""

from tests.faults.schedules.mail import KEYS
from tests.faults.schedules.steps import Step

NEWEST = -1
"""The container at work that came last."""


def troubled(worker: int, trouble: tuple[str, str]) -> tuple[Step, ...]:
    """A certain call of a container goes wrong."""
    return (Step("trouble_at", (worker, *trouble)),)


def troubled_to_its_end(worker: int, trouble: tuple[str, str]) -> tuple[Step, ...]:
    """A certain call of a container goes wrong, and it goes on from there."""
    return *troubled(worker, trouble), Step("finish", (worker,))


def overtaken(worker: int, mark: str) -> tuple[Step, ...]:
    """A container stands still past its lease, and another gets its message."""
    return Step("wait", (95,)), *raced(worker, mark)


def raced(worker: int, mark: str) -> tuple[Step, ...]:
    """Another container gets the same message at the same time."""
    return Step("overtake", (worker,)), Step("go_to", (NEWEST, mark))


def outlasted(worker: int) -> tuple[Step, ...]:
    """A container stands still once it announced a send, until others have given that send up."""
    return (
        Step("go_to", (worker, "after:conversations.begin_send")),
        Step("wait", (1000,)),
        Step("overtake", (worker,)),
        Step("finish", (NEWEST,)),
        *(Step("person", (conversation,)) for conversation in range(len(KEYS))),
    )


def killed_settling(mark: str) -> tuple[Step, ...]:
    """A container gets the next message, and is killed if it settles a send."""
    return Step("wait_for_queue"), Step("deliver", (1,)), Step("kill_at", (NEWEST, mark))


def lost_from_sight(worker: int) -> tuple[Step, ...]:
    """A message is accepted, its answer is lost, and the vendor does not list it yet."""
    return Step("lag"), *troubled_to_its_end(worker, ("sender.send", "accepted-untold"))
