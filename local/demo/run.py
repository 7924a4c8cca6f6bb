"""The demonstration from start to exit code."""

import time

from local import paths
from local.cloud import LocalCloud
from local.console import web_console
from local.demo.scenarios import (
    Checks,
    Scenario,
    bad_input,
    bounces,
    delivery,
    delivery_status,
    failed_update,
    held_draft,
)
from local.screen import Screen
from local.vendors import FakeVendors

WORKDIR = paths.CACHE / "demo"


def run(screen: Screen) -> int:
    """Start the local cloud, run the scenarios in it, and stop it.

    Returns:
        The exit code: 0 if every claim holds, else 1.

    Raises:
        LocalCloudError: the local cloud could not be started.
    """
    start = time.monotonic()
    checks, vendors = Checks(screen), FakeVendors()
    screen.heading("Start everything on 127.0.0.1, with fakes of all vendors")
    with (
        LocalCloud(vendors, workdir=WORKDIR, step=screen.step) as cloud,
        web_console(cloud, screen),
    ):
        run_scenarios(Scenario(cloud, vendors, screen, checks))
    screen.heading("Result")
    screen.say(f"everything is stopped; {time.monotonic() - start:.0f} s in total")
    return report(screen, checks)


def run_scenarios(scenario: Scenario) -> None:
    """Run the scenarios in a running local cloud; without the first, the others are skipped."""
    delivery(scenario)
    if scenario.checks.failed:
        scenario.screen.say("the other scenarios are skipped: the first message failed", "red")
        return
    failed_update(scenario)
    bad_input(scenario)
    delivery_status(scenario)
    bounces(scenario)
    held_draft(scenario)


def report(screen: Screen, checks: Checks) -> int:
    """Show how many claims hold; return the exit code, 0 if all do, else 1."""
    if not checks.failed:
        screen.say(f"all {checks.count} claims hold", "bold green")
        return 0
    screen.say(f"{len(checks.failed)} of {checks.count} claims do not hold:", "bold red")
    for claim in checks.failed:
        screen.verdict(claim, holds=False)
    screen.say(f"logs: {WORKDIR.relative_to(paths.ROOT)}")
    return 1
