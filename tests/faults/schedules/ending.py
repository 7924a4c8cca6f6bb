"""The end of every schedule: faults pass, messages are delivered, a person does what is left."""

from contextlib import suppress

from lambda_src.core.contract import Status
from tests.faults.schedules.judge import NeverAtRest
from tests.faults.schedules.picking import Absent
from tests.faults.schedules.universe import Universe

MOST_DELIVERIES = 200
"""Far more than any schedule's messages may need."""
MOST_VISITS = 20
"""How often a person comes at most, to all conversations."""


def come_to_rest(universe: Universe) -> None:
    """Let every fault pass, and everything go its way until nothing is left to be done.

    Raises:
        RuleBroken: On the way, or in the end.
        NeverAtRest: There is no end.
    """
    universe.weather.clear_up()
    universe.workers.finish_all()
    _empty_queue(universe)
    universe.judge.judge_rest()
    universe.weather.end_lateness()
    for _ in range(MOST_VISITS):
        if not _visit(universe):
            break
        _empty_queue(universe)
    else:
        raise NeverAtRest("a person comes again and again")
    universe.judge.judge_all(is_over=True)


def _empty_queue(universe: Universe) -> None:
    for _ in range(MOST_DELIVERIES):
        if not universe.world.sqs.on_queue:
            return
        universe.weather.wait_for_queue()
        with suppress(Absent):
            universe.mail.deliver(2)
        universe.workers.finish_all()
    raise NeverAtRest("messages are delivered again and again")


def _visit(universe: Universe) -> bool:
    """Let a person look at every conversation and dead letter; whether there was anything to do."""
    decided = [universe.duty.decide(key) for key in universe.world.witness.dossiers]
    return any([*decided, _redrive_unfinished(universe)])


def _redrive_unfinished(universe: Universe) -> bool:
    records = universe.world.table.records
    unfinished = [
        message
        for message in universe.world.sqs.dead
        if message.key not in records or records[message.key].status is not Status.FAILED
    ]
    for message in unfinished:
        universe.mail.redrive(universe.world.sqs.dead.index(message))
    return bool(unfinished)
