"""The control endpoint: what a stand-in can be told and asked from another process."""

from dataclasses import asdict, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from local.stand_ins.fault_plan import Match
from local.stand_ins.faults import Fault
from local.stand_ins.faulty_application import CONTROL_PREFIX

if TYPE_CHECKING:
    from local.stand_ins.stand_in import StandIn


class _FaultOrder(BaseModel):
    """Body of `POST /_control/faults`: a rule, whose fault may be given by its name."""

    model_config = ConfigDict(extra="forbid")

    fault: Fault | str
    match: Match | None = None
    times: Annotated[int, Field(ge=1)] | None = 1
    skip: Annotated[int, Field(ge=0)] = 0
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    seed: int = 0


def control_routes(stand_in: "StandIn[Any]") -> Blueprint:
    """The routes below `/_control/`, which no fault befalls and which are not recorded.

    `POST faults` adds a rule (`{"fault": {"kind": …} or "<name>", "match": {…}, "times": 1, …}`),
    `GET faults` lists those in force, `DELETE faults` ends them; `GET calls`, `GET state`;
    `PATCH settings` changes some; `DELETE state` forgets everything but the settings.
    """
    routes = Blueprint("control", __name__, url_prefix=CONTROL_PREFIX.rstrip("/"))
    _fault_routes(routes, stand_in)
    _state_routes(routes, stand_in)
    routes.register_error_handler(ValueError, _refused)
    return routes


def _fault_routes(routes: Blueprint, stand_in: "StandIn[Any]") -> None:
    @routes.post("/faults")
    def add_fault() -> tuple[Response, int]:
        order = _FaultOrder.model_validate_json(request.get_data())
        options = order.model_dump(include={"times", "skip", "probability", "seed"})
        stand_in.add_rule(stand_in.rule(order.fault, match=order.match, **options))
        return jsonify(_rules(stand_in)), HTTPStatus.CREATED

    @routes.get("/faults")
    def list_faults() -> Response:
        return jsonify(_rules(stand_in))

    @routes.delete("/faults")
    def clear_faults() -> tuple[str, int]:
        stand_in.clear_faults()
        return "", HTTPStatus.NO_CONTENT


def _state_routes(routes: Blueprint, stand_in: "StandIn[Any]") -> None:
    @routes.get("/calls")
    def list_calls() -> Response:
        return jsonify([asdict(call) for call in stand_in.requests])

    @routes.get("/state")
    def show_state() -> Response:
        return jsonify(stand_in.state() | {"settings": asdict(stand_in.settings)})

    @routes.delete("/state")
    def forget_everything() -> tuple[str, int]:
        stand_in.reset()
        return "", HTTPStatus.NO_CONTENT

    @routes.patch("/settings")
    def change_settings() -> Response:
        changes = TypeAdapter(dict[str, Any]).validate_json(request.get_data())
        unknown = changes.keys() - asdict(stand_in.settings).keys()
        if unknown:
            raise ValueError(f"settings: {', '.join(sorted(unknown))} are unknown")
        stand_in.settings = replace(stand_in.settings, **changes)
        return jsonify(asdict(stand_in.settings))


def _rules(stand_in: "StandIn[Any]") -> list[dict[str, Any]]:
    return [
        asdict(replace(rule, match=replace(rule.match, predicate=None)))
        for rule in stand_in.pending_faults
    ]


def _refused(error: ValueError) -> tuple[Response, int]:
    if isinstance(error, ValidationError):
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        ]
    else:
        problems = [str(error)]
    return jsonify({"problems": problems}), HTTPStatus.BAD_REQUEST
