"""The channel keeps to what every channel must keep to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ai_multi_comms.constructs import load_environment
from ai_multi_comms.kit import CHECKS, Check, Subject

from naming import PushNames
from push_app import PUSH
from push_processor.parts import PARTS
from push_vendor.conformance import CheckedVendor

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Return the channel, synthesized for functions that run on this machine."""
    out = tmp_path_factory.mktemp("assembly")
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    asked = json.dumps(context | {"env": "dev", "package_for": "host"})
    variables = os.environ | {"CDK_CONTEXT_JSON": asked, "CDK_OUTDIR": str(out)}
    subprocess.run([sys.executable, "push_app.py"], cwd=ROOT, env=variables, check=True)
    return Subject(
        names=PushNames(PUSH, load_environment(context["environments"], "dev")),
        template=out / "Push.template.json",
        parts=PARTS,
        vendor=CheckedVendor,
        example=ROOT / "contexts" / "push.json",
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_channel_conforms(subject: Subject, check: Check) -> None:
    """Nothing is wrong with it."""
    assert [] == list(check(subject))
