"""A dashboard as a picture: every widget in its place, on a card with its title."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from local.dashboard.definition import COLUMNS, Box, Widget
from local.dashboard.numbers import Numbers
from local.dashboard.panels import draw_alarms, draw_graph, draw_numbers, legend_rows
from local.dashboard.shapes import FAINT, INK, SMALL, add_rounded_box

CELL = (0.6, 0.4)
"""A cell of the grid, in inches."""
DOTS = 110
"""Per inch."""
MARGIN = 0.3
"""Around everything, in inches; the caption stands in it."""
GAP = 0.06
"""Around a card, in inches."""
TITLE = 0.38
"""What a title takes of a card, in inches from above."""
BACKGROUND = "#f2f4f6"

SIDES = {"alarm": 0.12, "singleValue": 0.12, "timeSeries": 0.5}
"""What a card keeps free at its sides, in inches: for the axes."""
LOWER_EDGE, LEGEND_ROW = 0.12, 0.14
"""What a card keeps free below, and what one row of a legend takes, in inches."""
DRAWERS = {"alarm": draw_alarms, "singleValue": draw_numbers, "timeSeries": draw_graph}


def draw(widgets: list[Widget], numbers: Numbers, picture: Path, *, caption: str) -> None:
    """Draw widgets with their numbers.

    Args:
        widgets: of one dashboard.
        numbers: tells each widget's values.
        picture: the file, whose ending says in which format.
        caption: stands below.
    """
    rows = max(widget.box.y + widget.box.height for widget in widgets)
    width, height = COLUMNS * CELL[0] + 2 * MARGIN, rows * CELL[1] + 2 * MARGIN
    figure = Figure(figsize=(width, height), facecolor=BACKGROUND)
    for widget in widgets:
        axes = _card(figure, widget)
        DRAWERS[widget.kind](axes, widget, numbers)
    figure.text(MARGIN / width, 0.4 * MARGIN / height, caption, size=SMALL, color=FAINT)
    figure.savefig(picture, dpi=DOTS, metadata={"Software": None})


def _card(figure: Figure, widget: Widget) -> Axes:
    """A card with its title; returns the axes for what it shows."""
    left, bottom, width, height = _inches(figure, widget.box)
    card = _axes(figure, left, bottom, width, height)
    card.set_axis_off()
    card.set_xlim(0, width)
    card.set_ylim(0, height)
    add_rounded_box(card, (0, 0), (width, height), radius=0.06, face="white", edge="#d5dbdb")
    card.text(
        0.12, height - 0.19, widget.title, size=SMALL + 1, weight="bold", color=INK, va="center"
    )
    side, below = SIDES[widget.kind], LOWER_EDGE + LEGEND_ROW * legend_rows(widget)
    inner = (left + side, bottom + below, width - 2 * side, height - below - TITLE)
    return _axes(figure, *inner)


def _inches(figure: Figure, box: Box) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a card; the grid counts rows from above."""
    top = figure.get_figheight() - MARGIN - box.y * CELL[1]
    width, height = box.width * CELL[0] - 2 * GAP, box.height * CELL[1] - 2 * GAP
    return MARGIN + box.x * CELL[0] + GAP, top - GAP - height, width, height


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))
