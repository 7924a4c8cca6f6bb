"""What a person sees of broken invariants, and what nobody is bothered with."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app import build
from stacks.invariants.catalogue import CATALOGUE
from tests.infra.invariants.report import told
from tests.infra.synthesis import (
    CONTEXT,
    ENVIRONMENTS,
    ROOT,
    environment,
    new_app,
    stub_package,
    synthesize,
)

PLACEHOLDER = {"alert-address-is-real"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_false_alarm(name: str) -> None:
    """Every environment keeps all invariants; while its address is a placeholder, that is told."""
    found = {violation["ruleName"] for violation in told(synthesize(name).directory)}

    is_placeholder = str(CONTEXT["environments"][name]["alert_email"]).endswith("example.com")
    assert (PLACEHOLDER if is_placeholder else set()) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"assistants_base_url": "https://assistants.example.com/v1", "log_level": "DEBUG"},
        {"batch_size": 1, "maximum_concurrency": 1_000, "snap_start": True},
        {"function_timeout_seconds": 900, "max_receive_count": 26},
        {"function_timeout_seconds": 160, "max_receive_count": 6, "tenants": ["a", "b"]},
    ],
    ids=" ".join,
)
def test_no_false_alarm_within_bounds(changes: dict[str, Any]) -> None:
    """Values at the ends of what is sensible are not complained of."""
    assert [] == told(synthesize(**changes).directory)


def test_overrides_are_seen() -> None:
    """A property that an override took away is missed, with its place and what to do."""
    app = new_app()
    build(app, environment(), stub_package())
    mapping: Any = app.node.find_child("WhatsApp").node.find_child("Processor").node
    mapping = mapping.find_child("Mapping").node.default_child
    mapping.add_property_deletion_override("FunctionResponseTypes")

    with pytest.raises(RuntimeError, match="Invariants::failures-are-reported"):
        app.synth()
    (violation,) = told(Path(app.outdir))
    assert "fatal" == violation["severity"]
    assert "(environment dev)" in violation["description"]
    assert "report_batch_item_failures=True" in violation["suggestedFix"]
    (place,) = violation["violatingConstructs"]
    assert "WhatsApp/Processor/Mapping/Resource" == place["constructPath"]
    assert ["Properties/FunctionResponseTypes"] == place["cloudFormationResource"]["propertyPaths"]


@pytest.mark.usefixtures("host_package")
def test_everything_broken_is_told_at_once(tmp_path: Path) -> None:
    """A synth shows each broken invariant with its remedy, fails, and shows no traceback."""
    worst = CONTEXT["environments"]["prod"] | {
        "alert_email": None,
        "removal_policy": "destroy",
        "deletion_protection": False,
        "point_in_time_recovery": False,
        "log_retention_days": 7,
        "log_level": "CRITICAL",
        "function_timeout_seconds": 90,
        "maximum_concurrency": 1_000,
        "max_receive_count": 5,
        "messages_per_second": {"whatsapp": 80, "fax": 10},
        "openai_requests_per_minute": 500,
    }
    done = _run(tmp_path, {"worst": worst})

    expected = {
        "production-data-is-retained",
        "production-data-can-be-restored",
        "production-refuses-deletion",
        "production-logs-are-kept",
        "alarms-are-heard",
        "vendors-fit-the-function",
        "receives-cover-settling",
        "filters-match-what-is-logged",
        "sender-keeps-up",
        "openai-keeps-up",
        "limited-channels-exist",
    }
    assert (1, expected) == (
        done.returncode,
        set(re.findall(r"Invariants::([a-z-]+)", done.stderr)),
    )
    assert all(each.remedy in done.stderr for each in CATALOGUE if each.name in expected)
    assert "Traceback" not in done.stderr


def _run(tmp_path: Path, environments: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Run the app as people do who do not use the CDK's command line."""
    context = CONTEXT | {"environments": environments, "env": "worst", "package_for": "host"}
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "JSII_NODE": os.environ["JSII_NODE"],
        "CDK_VALIDATION": "false",
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_OUTDIR": str(tmp_path),
    }
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
