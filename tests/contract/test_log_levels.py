"""The levels that the contract says, against those at which the runtime's code logs."""

import ast
import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import lambda_src
from lambda_src.core.contract import LOG_LEVELS, LOGGED_AT, LogEvent
from lambda_src.core.errors import ProcessingError, Step
from tests.unit.test_errors import TABLE

SOURCES = Path(lambda_src.__file__).parent


def test_every_event_is_logged_at_its_levels_and_no_other() -> None:
    """What the contract says of each event is what the code's own lines and errors do."""
    found: dict[LogEvent, set[str]] = defaultdict(set)
    for event, level in (*_written(), *_raised()):
        found[event].add(level)

    assert {event: set(levels) for event, levels in LOGGED_AT.items()} == found


def test_levels_are_known() -> None:
    """The contract's levels are those of the log, in their order."""
    numbers = [logging.getLevelNamesMapping()[level] for level in LOG_LEVELS]

    assert sorted(numbers) == numbers
    assert {level for levels in LOGGED_AT.values() for level in levels} <= set(LOG_LEVELS)


def _written() -> Iterator[tuple[LogEvent, str]]:
    """The events that stand in a call such as `log.info(…, extra={"event": …})`."""
    for call in _calls():
        if not isinstance(call.func, ast.Attribute) or call.func.attr.upper() not in LOG_LEVELS:
            continue
        for node in ast.walk(call):
            if isinstance(node, ast.Attribute) and node.attr in LogEvent.__members__:
                yield LogEvent[node.attr], call.func.attr.upper()


def _raised() -> Iterator[tuple[LogEvent, str]]:
    """The events of the errors that a delivery ends in: by class, by code, and by alarm."""
    kinds = {kind.__name__: kind for kind in TABLE}
    for kind in kinds.values():
        if kind.shared_event:
            yield kind.shared_event, logging.getLevelName(kind.level)
    for call in _calls():
        if isinstance(call.func, ast.Name) and call.func.id in kinds and call.args:
            code = _literal(call.args[0])
            if code in list(LogEvent) and not kinds[call.func.id].shared_event:
                yield LogEvent(code), logging.getLevelName(kinds[call.func.id].level)
    called = ProcessingError("any", Step.AI, alarm=True)
    yield LogEvent(called.event), logging.getLevelName(called.log_level)


def _calls() -> Iterator[ast.Call]:
    for source in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call):
                yield node


def _literal(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""
