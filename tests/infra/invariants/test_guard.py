"""How far the invariants reach, and what stops them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from aws_cdk import Acknowledgment, App, Stack, Stage, Validations
from aws_cdk import aws_sqs as sqs

from tests.infra.invariants.bench import PUSH, Bench
from tests.infra.invariants.report import told
from tests.infra.synthesis import new_app

ELSEWHERE = replace(PUSH, handler="push_processor.index.lambda_handler")
BARE = sqs.QueueEncryption.UNENCRYPTED


def _acknowledge(app: App, name: str) -> None:
    reason = "A test says so."
    Validations.of(app).acknowledge(Acknowledgment(id=f"Invariants::{name}", reason=reason))


def test_others_stacks_are_left_alone() -> None:
    """A stack without our constructs is its owner's business."""
    app = new_app()
    Bench.of(app, "Ours").processor()
    sqs.Queue(Stack(app, "Others"), "Queue", encryption=BARE)

    assert [] == told(Path(app.synth().directory))


def test_another_handler_has_variables_of_its_own() -> None:
    """A processor from elsewhere may read more than ours does, but no local server's address."""
    app = new_app()
    function = Bench.of(app, "Ours").processor(channel=ELSEWHERE).function
    function.add_environment("PUSH_REGION", "eu")
    function.add_environment("OPENAI_BASE_URL", "http://127.0.0.1:80")

    with pytest.raises(RuntimeError) as refused:
        app.synth()
    assert "OPENAI_BASE_URL is not read" in str(refused.value)
    assert "PUSH_REGION" not in str(refused.value)


def test_stages_are_guarded() -> None:
    """Constructs in a stage of an app guard that stage."""
    app = new_app()
    bench = Bench.of(Stage(app, "Stage"), "Ours")
    bench.mapping(bench.processor(), reports=False)

    with pytest.raises(RuntimeError, match="Invariants::failures-are-reported"):
        app.synth()


def test_an_error_can_be_acknowledged() -> None:
    """What is a matter of judgement passes with a reason, which the report keeps."""
    app = new_app()
    Bench.of(app, "Ours").processor(grant=False)
    _acknowledge(app, "secrets-match-the-role")

    report = json.loads((Path(app.synth().directory) / "validation-report.json").read_text())
    (plugin,) = report["pluginReports"]
    assert [] == plugin["violations"]
    assert {"A test says so."} == {each["reason"] for each in plugin["suppressedViolations"]}


def test_a_fatal_finding_cannot() -> None:
    """What loses messages is not a matter of judgement."""
    app = new_app()
    bench = Bench.of(app, "Ours")
    bench.mapping(bench.processor(), reports=False)
    _acknowledge(app, "failures-are-reported")

    with pytest.raises(RuntimeError, match="FATAL FunctionResponseTypes lacks"):
        app.synth()


def test_values_that_nobody_can_tell_are_refused() -> None:
    """An invariant that rests on a reference is not taken for kept."""
    app = new_app()
    bench = Bench.of(app, "Ours")
    queue = bench.queue().node.default_child
    assert isinstance(queue, sqs.CfnQueue)
    queue.add_property_override("VisibilityTimeout", {"Ref": "AWS::AccountId"})
    bench.processor(queue=bench.fed_from())

    with pytest.raises(RuntimeError, match="VisibilityTimeout is not a number that is written out"):
        app.synth()
