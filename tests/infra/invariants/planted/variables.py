"""Faults in the function's environment variables."""

from aws_cdk import App

from lambda_src.core.contract import REQUIRED_VARIABLES
from tests.infra.invariants.bench import Bench, resource, variable
from tests.infra.invariants.fault import Fault, fault
from tests.infra.invariants.templates import drop, put

FUNCTION = "AWS::Lambda::Function"
PATH = "Environment.Variables"


def _missing(name: str) -> Fault:
    def leave_out(bench: Bench) -> None:
        resource(bench.processor()).add_property_deletion_override(f"{PATH}.{name}")

    return fault(
        f"{name} missing",
        "required-variables-are-set",
        by_code=leave_out,
        by_override=drop(FUNCTION, f"{PATH}.{name}"),
    )


def _wrong(planted: str, name: str, value: str, invariant: str) -> Fault:
    return fault(
        planted,
        invariant,
        by_code=variable(name, value),
        by_override=put(FUNCTION, f"{PATH}.{name}", value),
    )


def _fed_from_another(bench: Bench) -> None:
    processor = bench.processor(queue=bench.queue())
    app = App.of(bench.stack)
    assert app
    elsewhere = Bench.of(app, f"{bench.stack.node.id}Elsewhere")
    bench.mapping(processor, elsewhere.queue())


FAULTS = (
    *map(_missing, sorted(REQUIRED_VARIABLES)),
    _wrong("misspelt variable", "LEASE_SECOND", "80", "variables-are-read"),
    _wrong(
        "local server's address", "TWILIO_BASE_URL", "http://127.0.0.1:80", "variables-are-read"
    ),
    _wrong("time that is no number", "LEASE_SECONDS", "long", "variables-are-valid"),
    _wrong("level that does not exist", "LOG_LEVEL", "LOUD", "variables-are-valid"),
    _wrong("empty channel", "CHANNEL", "", "variables-are-valid"),
    fault(
        "heartbeat on another queue",
        "heartbeat-beats-on-its-queue",
        by_code=_fed_from_another,
        by_override=put(
            FUNCTION, f"{PATH}.QUEUE_URL", {"Ref": "ChannelQueueDeadLetterQueue2FF975DF"}
        ),
    ),
)
