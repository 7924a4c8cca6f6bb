"""The runtime logs something else than its alarms listen to."""

from typing import Any

from tests.alarms.mutations.mutation import Mutation, Patient

Fields = dict[str, Any]


def _rename_event(patient: Patient) -> None:
    def rename(fields: Fields) -> None:
        if fields["event"] in patient.case.events:
            fields["event"] += "_now"

    patient.rewrite_lines(rename)


def _rename_field(patient: Patient, name: str) -> None:
    def rename(fields: Fields) -> None:
        if name in fields:
            fields[f"log_{name}"] = fields.pop(name)

    patient.rewrite_lines(rename)


def _lower_level(patient: Patient) -> None:
    patient.rewrite_lines(lambda fields: fields.update(level="INFO"))


OF_LINES = (
    Mutation("the runtime logs another event", _rename_event, lambda case: case.events),
    Mutation(
        "the runtime's field for events is another",
        lambda patient: _rename_field(patient, "event"),
        lambda case: case.events,
    ),
    Mutation("the runtime logs at level INFO", _lower_level, lambda case: case.heeds_level),
    Mutation(
        "the runtime's field for levels is another",
        lambda patient: _rename_field(patient, "level"),
        lambda case: case.heeds_level,
    ),
    Mutation(
        "the runtime does not log how often a message was received",
        lambda patient: _rename_field(patient, "receive_count"),
        lambda case: case.subject == "RepeatedFailure",
    ),
)
