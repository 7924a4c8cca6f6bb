"""Log events and metrics: the runtime's code, the contract, the template and docs/metrics.md."""

import ast
import json
import logging
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import lambda_src
from lambda_src.core import errors
from lambda_src.core.contract import LOG_LEVELS, LOGGED_AT, Kind, LogEvent, Metric, Step
from lambda_src.core.errors import ProcessingError
from lambda_src.core.ledger import records
from tests.alarms.chain import count_matches
from tests.alarms.situations import SITUATIONS
from tests.infra.synthesis import Synthesized
from tests.support.channel import Channel

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
SOURCES = Path(lambda_src.__file__).parent


def test_events_are_logged_at_their_levels() -> None:
    """The code logs each event at the levels of the contract."""
    expected = {(event, level) for event, levels in LOGGED_AT.items() for level in levels}
    assert expected == {*_written(), *_raised()}


def _written() -> Iterator[tuple[LogEvent, str]]:
    """Yield the events in calls such as `log.info(…, extra={"event": …})`."""
    for call in _calls():
        if not isinstance(call.func, ast.Attribute) or call.func.attr.upper() not in LOG_LEVELS:
            continue
        for node in ast.walk(call):
            # The receiver, which imports nothing of the package, has a constant of the same name.
            name = getattr(node, "attr", getattr(node, "id", ""))
            if name in LogEvent.__members__:
                yield LogEvent[name], call.func.attr.upper()


def _raised() -> Iterator[tuple[LogEvent, str]]:
    """Yield the events of the errors of a delivery: by class, by code, and by alarm."""
    values = [value for module in (errors, records) for value in vars(module).values()]
    classes = [value for value in values if isinstance(value, type)]
    kinds = {kind.__name__: kind for kind in classes if issubclass(kind, ProcessingError)}
    for kind in kinds.values():
        if kind.shared_event:
            yield kind.shared_event, logging.getLevelName(kind.level)
    for call in _calls():
        match call:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=code), *_]):
                if name in kinds and code in list(LogEvent) and not kinds[name].shared_event:
                    yield LogEvent(code), logging.getLevelName(kinds[name].level)
    alarming = ProcessingError("any", Step.AI, alarm=True)
    yield LogEvent(alarming.event), logging.getLevelName(alarming.log_level)


def _calls() -> Iterator[ast.Call]:
    for source in sorted(SOURCES.rglob("*.py")):
        nodes = ast.walk(ast.parse(source.read_text()))
        yield from (node for node in nodes if isinstance(node, ast.Call))


def _table(first: str) -> list[list[str]]:
    """Return the rows of the table whose first column has that heading, without code marks."""
    _, _, below = DOCUMENT.read_text("utf-8").partition(f"\n| {first} |")
    rows = takewhile(lambda line: line.startswith("|"), below.splitlines()[2:])
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows]


def test_every_metric_is_documented() -> None:
    """The document lists each metric in the code's order with unit, dimensions and meaning.

    It has the number of metrics that are billed.
    """
    expected = [[name, name.unit, ", ".join(name.dimensions) or "–"] for name in Metric]
    assert expected == [row[:3] for row in _table("metric")]
    assert all(row[3] for row in _table("metric"))
    plain = [metric for metric in Metric if not metric.dimensions]
    assert f"{len(plain)} metrics without dimensions" in DOCUMENT.read_text("utf-8")


def test_dimensions_are_documented() -> None:
    """The document lists the values of `step` and `kind`; only failures have a kind."""
    assert list(Step) == [row[0] for row in _table("`step`")]
    assert [kind for kind in Kind if kind is not Kind.ENDED] == [row[0] for row in _table("`kind`")]


def test_metric_lines_match_no_filter(channel: Channel, dev: Synthesized) -> None:
    """In no situation does a line of metrics match one of the log's metric filters."""
    for situation in SITUATIONS.values():
        situation.run(channel)
    lines = channel.read_metrics()
    assert len(lines) > len(SITUATIONS)
    assert {} == count_matches(dev, map(json.dumps, lines))
