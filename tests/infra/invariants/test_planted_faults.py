"""Every planted fault violates exactly its invariants."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from stacks.invariants.plugin import CATALOGUE
from tests.infra.constructs import ON_CALL_ADDRESS, PRODUCTION, SampleStack
from tests.infra.invariants.document import DOCUMENT, document
from tests.infra.invariants.planted_faults import FAULTS, Fault, Templates
from tests.infra.synthesis import Synthesized, new_app, synthesize, violations

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.planted)


@pytest.fixture(scope="session")
def faultless() -> Synthesized:
    """Return the templates of an environment that sets every key that an invariant needs."""
    return synthesize(
        **PRODUCTION,
        alert_email=ON_CALL_ADDRESS,
        conversation_retention_days=30,
        messages_per_second={"whatsapp": 80},
        ai_seconds_per_message=2,
        openai_requests_per_minute=60_000,
        openai_tokens_per_minute=60_000_000,
        tokens_per_message=1_000,
        messages_per_day={"whatsapp": 50_000},
    )


@pytest.fixture(scope="session")
def reported() -> Mapping[str, set[str]]:
    """Synthesize all faults by code in one app, and return what the report names for each."""
    app = new_app()
    for number, fault in enumerate(FAULTS):
        fault.by_code(SampleStack(app, f"Row{number}", protected=fault.protected))
    with suppress(RuntimeError):
        app.synth()
    found: dict[str, set[str]] = {fault.planted: set() for fault in FAULTS}
    for violation in violations(Path(app.outdir)):
        for place in violation["violatingConstructs"]:
            row = place["constructPath"].split("/")[0].removeprefix("Row")
            found[FAULTS[int(row)].planted].add(violation["ruleName"])
    return found


def test_faultless_templates_violate_nothing(faultless: Synthesized) -> None:
    """The templates in which faults are planted violate no invariant."""
    assert set() == Templates(faultless).violated()


@each_fault
def test_fault_by_code(reported: Mapping[str, set[str]], fault: Fault) -> None:
    """The CDK's report names the invariants that a misuse of our constructs violates."""
    assert fault.violates == reported[fault.planted]


@each_fault
def test_fault_in_a_template(faultless: Synthesized, fault: Fault) -> None:
    """An override in our app's templates is found."""
    templates = Templates(faultless)
    fault.by_override(templates)
    assert fault.violates == templates.violated()


def test_every_invariant_has_a_fault() -> None:
    """Each invariant has its own name and at least one planted fault."""
    names = [invariant.name for invariant in CATALOGUE]
    assert len(names) == len(set(names))
    assert set(names) == {name for fault in FAULTS for name in fault.violates}


def test_document_has_the_catalogue() -> None:
    """docs/invariants.md lists the invariants of the code."""
    assert document() == DOCUMENT.read_text()
