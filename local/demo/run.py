"""The demonstration from its beginning to its exit code."""

import time

from local import paths
from local.demo import bad_input, delivery, failure_story
from local.demo.checks import Checks
from local.demo.stage import Stage
from local.screen import Screen
from local.vendors import StandIns
from local.world import World

WORKDIR = paths.CACHE / "demo"


def run(screen: Screen) -> int:
    """Set the local cloud up, play the three acts in it, and take it down.

    Returns:
        The exit code: 0 when every claim holds, else 1.

    Raises:
        LocalCloudError: the local cloud could not be set up.
    """
    start = time.monotonic()
    checks, stand_ins = Checks(screen), StandIns()
    screen.heading("Setting up, all on 127.0.0.1; stand-ins answer for OpenAI and Twilio")
    with World(stand_ins, workdir=WORKDIR, step=screen.step) as world:
        play(Stage(world, stand_ins, screen, checks))
    screen.heading("The end")
    screen.say(f"everything is stopped; {time.monotonic() - start:.0f} s in all")
    return conclude(screen, checks)


def play(stage: Stage) -> None:
    """Play the acts in a running local cloud; the others need what the first one shows."""
    delivery.play(stage)
    if stage.checks.failed:
        stage.screen.say("the other acts are left out: the first message failed already", "red")
        return
    failure_story.play(stage)
    bad_input.play(stage)


def conclude(screen: Screen, checks: Checks) -> int:
    """Sum the claims up; the exit code is 0 when each holds, else 1."""
    if not checks.failed:
        screen.say(f"all {checks.count} claims hold", "bold green")
        return 0
    screen.say(f"{len(checks.failed)} of {checks.count} claims do not hold:", "bold red")
    for claim in checks.failed:
        screen.verdict(claim, holds=False)
    screen.say(f"logs of the parts: {WORKDIR.relative_to(paths.ROOT)}")
    return 1
