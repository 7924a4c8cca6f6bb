"""Every planted fault is told by name, and by no other name."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from stacks.invariants.catalogue import CATALOGUE
from tests.infra.invariants.bench import DUTY, PRODUCTION, Bench
from tests.infra.invariants.fault import Fault
from tests.infra.invariants.planted import FAULTS
from tests.infra.invariants.report import told
from tests.infra.invariants.templates import Templates
from tests.infra.synthesis import Synthesized, new_app, synthesize

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.planted)


@pytest.fixture(scope="session")
def faultless() -> Synthesized:
    """Return the templates of an environment that says all that invariants ask for."""
    return synthesize(
        **PRODUCTION,
        alert_email=DUTY,
        conversation_retention_days=30,
        messages_per_second={"whatsapp": 80},
        ai_seconds_per_message=2,
        openai_requests_per_minute=60_000,
        openai_tokens_per_minute=60_000_000,
        tokens_per_message=1_000,
        messages_per_day={"whatsapp": 50_000},
    )


@pytest.fixture(scope="session")
def broken_by_code() -> Mapping[str, set[str]]:
    """Synthesize all faults among constructs at once, and return what the report names of each."""
    app = new_app()
    for number, fault in enumerate(FAULTS):
        fault.by_code(Bench.of(app, f"Row{number}", protected=fault.protected))
    with suppress(RuntimeError):
        app.synth()
    found: dict[str, set[str]] = {fault.planted: set() for fault in FAULTS}
    for violation in told(Path(app.outdir)):
        for place in violation["violatingConstructs"]:
            row = place["constructPath"].split("/")[0].removeprefix("Row")
            found[FAULTS[int(row)].planted].add(violation["ruleName"])
    return found


def test_nothing_is_wrong_without_a_fault(faultless: Synthesized) -> None:
    """The templates that faults are planted in break nothing by themselves."""
    assert set() == Templates.of(faultless).broken()


@each_fault
def test_fault_among_constructs(broken_by_code: Mapping[str, set[str]], fault: Fault) -> None:
    """Whoever misuses our constructs in a stack of his own is told, by the CDK's own report."""
    assert fault.breaks == broken_by_code[fault.planted]


@each_fault
def test_fault_in_a_template(faultless: Synthesized, fault: Fault) -> None:
    """Whatever an override leaves in the template of our app is told."""
    templates = Templates.of(faultless)

    fault.by_override(templates)

    assert fault.breaks == templates.broken()


def test_every_invariant_is_broken_by_a_fault() -> None:
    """No invariant stands in the catalogue that nobody has seen at work."""
    assert {invariant.name for invariant in CATALOGUE} == {
        name for fault in FAULTS for name in fault.breaks
    }
