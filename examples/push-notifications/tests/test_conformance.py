"""The channel passes the conformance checks."""

import json
from pathlib import Path

import pytest
from ai_multi_comms.constructs import load_environment
from ai_multi_comms.kit import CHECKS, Check, Subject
from aws_cdk import App

from push_app import PUSH, PushNames, build
from push_processor.parts import PARTS
from push_vendor.fake import FakePushVendor

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """The channel, synthesized for functions that run on this machine."""
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    outdir = tmp_path_factory.mktemp("assembly")
    app = App(context=context | {"env": "dev", "package_for": "host"}, outdir=str(outdir))
    build(app)
    app.synth()
    return Subject(
        names=PushNames(PUSH, load_environment(context["environments"], "dev")),
        template=outdir / "Push.template.json",
        parts=PARTS,
        vendor=FakePushVendor,
        example=ROOT / "contexts" / "push.json",
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_channel_conforms(subject: Subject, check: Check) -> None:
    """No check finds a problem."""
    assert [] == list(check(subject))
