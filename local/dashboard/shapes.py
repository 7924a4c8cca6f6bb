"""What widgets and their cards have in common."""

from matplotlib.axes import Axes
from matplotlib.patches import BoxStyle, FancyBboxPatch

INK, FAINT = "#232f3e", "#687078"
SMALL, TINY = 8, 7
"""Sizes of letters, in points."""


def add_rounded_box(
    axes: Axes,
    corner: tuple[float, float],
    size: tuple[float, float],
    *,
    radius: float,
    face: str,
    edge: str,
) -> None:
    """Add a box, in the axes' own units; the colors are those of its face and its edge."""
    style = BoxStyle.Round(pad=0, rounding_size=radius)
    axes.add_patch(
        FancyBboxPatch(corner, *size, boxstyle=style, facecolor=face, edgecolor=edge, linewidth=0.6)
    )
