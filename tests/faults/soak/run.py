"""A soak: several hundred messages through the local cloud while everything fails."""

import time
from collections.abc import Iterable, Sequence

from lambda_src.core.contract import LogEvent, Status
from local import paths
from local.vendors import StandIns
from local.world import World
from tests.faults.person import Decision
from tests.faults.rules import Place
from tests.faults.soak.alarm_watch import alarm_facts
from tests.faults.soak.course import Course, OnProgress, Rest
from tests.faults.soak.facts import Facts
from tests.faults.soak.pace import quicken
from tests.faults.soak.plan import Blow, Plan
from tests.faults.soak.reconciliation import Violation, reconcile, silent_alarms
from tests.faults.soak.result import Recovery, SoakResult, Storm
from tests.faults.soak.testimony import Testimony


def run(
    messages: int = 600, seed: int = 0, on_progress: OnProgress = lambda *_: None
) -> SoakResult:
    """Run a soak from nothing to nothing left behind.

    Args:
        messages: how many conversations.
        seed: decides who gets what and when, what fails, and which process dies when.
        on_progress: told how far it is.

    Returns:
        What it has come to; its violations are for the caller to judge.

    Raises:
        NotAtRestError: messages stayed on the queue for minutes after the last fault.
        LocalCloudError: the local cloud did not start, or ended.
        ValueError: there cannot be so many messages.
    """
    plan, vendors = Plan.drawn(messages, seed), StandIns()
    with World(vendors, workdir=paths.CACHE / "soak") as world:
        quicken(world)
        course, begun = Course(world, vendors, plan, on_progress), time.monotonic()
        rests = course.rests()
        seconds = time.monotonic() - begun
        testimony = Testimony(world.channel.log())
        alarms = alarm_facts(world, testimony.at_critical())
    over = testimony.completed(rests[-1].facts)
    return SoakResult(
        seed=seed,
        messages=messages,
        seconds=seconds,
        arrivals=len(plan.arrivals),
        duplicates=sum(arrival.is_duplicate for arrival in plan.arrivals),
        sent=sum(bool(one.sids) for one in over),
        refused=sum(one.status == Status.FAILED for one in over),
        storm=_storm(course, testimony),
        recovery=_recovery(course, rests, testimony),
        violations=(*_violations(rests, over, testimony), *silent_alarms(alarms)),
    )


def _violations(
    rests: Sequence[Rest], over: Sequence[Facts], testimony: Testimony
) -> Iterable[Violation]:
    """What was not in order at a rest or at the end, each once."""
    found = [
        violation
        for rest in rests
        for violation in reconcile(testimony.completed(rest.facts, rest.at), is_over=False)
    ]
    found += reconcile(over, is_over=True)
    return {(one.subject, one.rules, one.is_unresolved): one for one in found}.values()


def _storm(course: Course, testimony: Testimony) -> Storm:
    in_the_middle, before = testimony.interrupted()
    return Storm(
        kills=course.workers.blows[Blow.KILL],
        freezes=course.workers.blows[Blow.FREEZE],
        interrupted=in_the_middle,
        cut_short=before,
        faults=course.mischief.counts(),
    )


def _recovery(course: Course, rests: Sequence[Rest], testimony: Testimony) -> Recovery:
    over, counts, duty = rests[-1].facts, testimony.counts(), course.duty
    dead = sum(place is Place.DEAD for one in over for place in one.places)
    critical = testimony.at_critical()
    return Recovery(
        takeovers=sum(write.from_lapsed for one in over for write in one.writes),
        settled=counts[LogEvent.SEND_SETTLED],
        unknown=counts[LogEvent.SEND_OUTCOME_UNKNOWN],
        recorded_by_person=duty.decisions[Decision.RECORDED],
        released_by_person=duty.decisions[Decision.RELEASED],
        dead_letters=dead + duty.redriven,
        dead_unsaid=sum(_is_dead_unsaid(one) for rest in rests for one in rest.facts),
        redriven=duty.redriven,
        critical={event: len(lines) for event, lines in critical.items()},
    )


def _is_dead_unsaid(facts: Facts) -> bool:
    return Place.DEAD in facts.places and not facts.reason and not facts.sids
