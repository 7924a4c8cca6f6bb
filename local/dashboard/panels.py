"""A dashboard's widgets, each drawn into the axes that it is given."""

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from local.dashboard.definition import Limit, Line, Widget
from local.dashboard.numbers import Numbers, Series
from local.dashboard.shapes import FAINT, INK, SMALL, TINY, add_rounded_box

GRID = "#e6e9ec"
PALETTE = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
STATES = {"OK": "#2ca02c", "ALARM": "#d62728", "INSUFFICIENT_DATA": "#9aa5b1"}
ALARMS_IN_A_ROW = 6
LEGEND_ENTRIES_IN_A_ROW = 3


def draw_alarms(axes: Axes, widget: Widget, numbers: Numbers) -> None:
    """One tile for each alarm, in its state's color."""
    states = numbers.states(widget.alarms)
    rows = -(-len(widget.alarms) // ALARMS_IN_A_ROW)
    _blank(axes, ALARMS_IN_A_ROW, rows)
    for index, name in enumerate(widget.alarms):
        row, column = divmod(index, ALARMS_IN_A_ROW)
        color = STATES[states[name]]
        place, size = (column + 0.02, row + 0.08), (0.96, 0.84)
        add_rounded_box(axes, place, size, radius=0.04, face=f"{color}1c", edge=color)
        state, middle = states[name].replace("_", " ").lower(), row + 0.5
        axes.text(column + 0.06, middle, _short(name), size=SMALL, color=INK, va="center")
        axes.text(column + 0.94, middle, state, size=TINY, color=color, ha="right", va="center")


def draw_numbers(axes: Axes, widget: Widget, numbers: Numbers) -> None:
    """The total of each line, in large figures."""
    _blank(axes, len(widget.left), 1)
    for index, line in enumerate(widget.left):
        middle, color = index + 0.5, line.color or INK
        figure = f"{numbers.total(line):,.0f}"
        axes.text(middle, 0.36, figure, size=20, color=color, ha="center", va="center")
        axes.text(middle, 0.85, line.label, size=SMALL, color=FAINT, ha="center", va="center")


def draw_graph(axes: Axes, widget: Widget, numbers: Numbers) -> None:
    """Lines over time, on each other where the widget says so."""
    _prepare(axes, widget.unit, numbers)
    if widget.stacked:
        _draw_stack(axes, _all_series(widget.left, numbers), numbers)
    else:
        _draw_lines(axes, _all_series(widget.left, numbers))
    if widget.right:
        right = axes.twinx()
        _prepare(right, "", numbers)
        right.grid(visible=False)
        _draw_lines(right, _all_series(widget.right, numbers), skip=len(widget.left))
        _set_floor(right)
    for limit in widget.limits:
        _draw_limit(axes, limit)
    _set_floor(axes)
    _draw_legend(axes)


def legend_rows(widget: Widget) -> int:
    """How many rows the legend takes, with one above it for the axis; searches find many lines."""
    if widget.kind != "timeSeries":
        return 0
    lines = [*widget.left, *widget.right]
    is_search = any(None in line.dimensions.values() for line in lines)
    return 4 if is_search else 2 + (len(lines) - 1) // LEGEND_ENTRIES_IN_A_ROW


def _all_series(lines: Sequence[Line], numbers: Numbers) -> list[Series]:
    """Counts are 0 wherever nothing was counted; of all else there is no value then."""
    none = dict.fromkeys(_moments(numbers), 0.0)
    return [
        replace(series, points=none | series.points)
        if line.statistic == "Sum" and series.points
        else series
        for line in lines
        for series in numbers.series(line)
    ]


def _moments(numbers: Numbers) -> list[float]:
    count = int((numbers.end - numbers.start) // numbers.period) + 1
    return [float(index * numbers.period) for index in range(count)]


def _draw_stack(axes: Axes, stack: list[Series], numbers: Numbers) -> None:
    moments = _moments(numbers)
    colors = [series.color or PALETTE[index % 8] for index, series in enumerate(stack)]
    rows = [[series.points.get(moment, 0.0) for moment in moments] for series in stack]
    labels = [series.label for series in stack]
    if rows:
        axes.stackplot(moments, rows, labels=labels, colors=colors, alpha=0.75, linewidth=0)


def _draw_lines(axes: Axes, lines: list[Series], skip: int = 0) -> None:
    for index, series in enumerate(lines, skip):
        color = series.color or PALETTE[index % 8]
        moments, values = list(series.points), list(series.points.values())
        axes.plot(moments, values, label=series.label, color=color, linewidth=1.3, marker=".", ms=3)


def _draw_limit(axes: Axes, limit: Limit) -> None:
    axes.axhline(limit.value, color=limit.color, linewidth=1, linestyle="--")
    across = axes.get_yaxis_transform()
    axes.text(
        0.99,
        limit.value,
        limit.label,
        transform=across,
        size=TINY,
        color=limit.color,
        ha="right",
        va="bottom",
    )


def _draw_legend(axes: Axes) -> None:
    both = [other for other in axes.figure.axes if other.bbox.bounds == axes.bbox.bounds]
    entries = [
        entry for each in both for entry in zip(*each.get_legend_handles_labels(), strict=True)
    ]
    if not entries:
        axes.text(0.5, 0.5, "none", size=SMALL, color=FAINT, ha="center", transform=axes.transAxes)
        return
    axes.legend(
        *zip(*entries, strict=True),
        loc="upper left",
        bbox_to_anchor=(-0.06, -0.13),
        ncols=LEGEND_ENTRIES_IN_A_ROW,
        fontsize=TINY,
        labelcolor=INK,
        frameon=False,
        handlelength=1,
        columnspacing=1,
        borderaxespad=0,
    )


def _prepare(axes: Axes, unit: str, numbers: Numbers) -> None:
    axes.set_xlim(0, numbers.end - numbers.start)
    axes.set_ylabel(unit, size=TINY, color=FAINT)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at // 60:.0f}:{at % 60:02.0f}"))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 3, 6]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=TINY, labelcolor=FAINT, length=0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)


def _set_floor(axes: Axes) -> None:
    axes.set_ylim(0, max(1.0, axes.get_ylim()[1] * 1.08))


def _blank(axes: Axes, columns: float, rows: float) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)


def _short(name: str) -> str:
    """An alarm's subject, as all names on one dashboard begin and end the same way."""
    return name.partition("Processor")[2].partition("Alarm-")[0] or name
