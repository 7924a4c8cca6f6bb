"""A small universe: a queue, containers, vendors and a person, moved by one decision at a time."""

import logging
import random
from contextlib import suppress

from tests.faults.schedules.container import Alter, Container
from tests.faults.schedules.duty import Duty
from tests.faults.schedules.judge import Judge
from tests.faults.schedules.mail import KEYS, Mail
from tests.faults.schedules.picking import Absent, pick
from tests.faults.schedules.steps import Step
from tests.faults.schedules.surroundings import Surroundings
from tests.faults.schedules.weather import Weather
from tests.faults.schedules.workers import Workers, unaltered

RUNTIME_LOG = logging.getLogger("lambda_src")


class Universe:
    """Does the steps of a schedule; after each piece of work all rules are judged.

    Args:
        alter: What is done to every handler.
    """

    def __init__(self, alter: Alter = unaltered) -> None:
        self._chance = random.getstate()
        random.seed(0)  # the pauses between two tries of a write are drawn from it
        self.world = Surroundings()
        self.containers: list[Container] = []
        self.judge = Judge(self.world, self.containers)
        self.workers = Workers(self.world, self.containers, self.judge, alter)
        self.weather = Weather(self.world)
        self.mail = Mail(self.world, self.workers)
        self.duty = Duty(self.world, self.containers)
        self._listened = RUNTIME_LOG.level, RUNTIME_LOG.propagate
        RUNTIME_LOG.addHandler(self.world.witness)
        RUNTIME_LOG.setLevel(logging.CRITICAL)
        RUNTIME_LOG.propagate = False
        actors = (self.mail, self.workers, self.weather)
        self._actions = {
            name: getattr(actor, name) for actor in actors for name in actor.ACTIONS
        } | {"begin": self._begin, "person": self._call_person}

    def close(self) -> None:
        """End whatever is at work, and leave everything as it was found."""
        for container in self.containers:
            container.kill()
        RUNTIME_LOG.removeHandler(self.world.witness)
        RUNTIME_LOG.setLevel(self._listened[0])
        RUNTIME_LOG.propagate = self._listened[1]
        random.setstate(self._chance)

    def do(self, step: Step) -> None:
        """Do a step; it does nothing where there is nothing to be done.

        Raises:
            RuleBroken: By the first conversation that breaks a rule.
        """
        with suppress(Absent):
            self._actions[step.action](*step.about)
        self.judge.judge_all()

    def _begin(self, receives: int, is_original: int, is_ai_slow: int, is_late_last: int) -> None:
        """Settle the ways of the queue and of the vendors."""
        self.world.sqs.max_receives = receives
        self.world.ai.is_original = bool(is_original)
        self.world.is_ai_slow = bool(is_ai_slow)
        self.weather.is_late_last = bool(is_late_last)

    def _call_person(self, conversation: int) -> None:
        self.duty.decide(pick(KEYS, conversation))
