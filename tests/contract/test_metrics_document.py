"""docs/metrics.md says what the code says: names, units, dimensions and their values."""

from pathlib import Path

from lambda_src.core.errors import Step
from lambda_src.core.metric_names import Kind, Metric

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first column is called that, without marks of code."""
    lines = DOCUMENT.read_text("utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("`", "") for cell in line.strip("|").split("|")])
    return rows


def test_every_metric_is_documented() -> None:
    """In the code's order, each with its unit and its dimensions, and with a meaning."""
    expected = [[name, name.unit, ", ".join(name.dimensions) or "–"] for name in Metric]
    assert expected == [row[:3] for row in table("metric")]
    assert all(row[3] for row in table("metric"))


def test_every_step_is_documented() -> None:
    """The dimension `step` has these values and no other."""
    assert list(Step) == [row[0] for row in table("`step`")]


def test_every_kind_is_documented() -> None:
    """The dimension `kind` has these values, but for what was counted before and is no failure."""
    assert [kind for kind in Kind if kind is not Kind.ENDED] == [row[0] for row in table("`kind`")]


def test_the_number_of_metrics_is_true() -> None:
    """Who reckons what it costs can rely on it."""
    plain = [metric for metric in Metric if not metric.dimensions]
    assert f"{len(plain)} metrics without dimensions" in DOCUMENT.read_text("utf-8")
