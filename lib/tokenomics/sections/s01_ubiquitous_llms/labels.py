"""Names beside points, as many as find room."""

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_PT = 6.0
PLACES = [
    ((3, 2), "left", "bottom"),
    ((-3, 2), "right", "bottom"),
    ((3, -2), "left", "top"),
    ((-3, -2), "right", "top"),
    ((4, 0), "left", "center"),
    ((-4, 0), "right", "center"),
    ((0, 5), "center", "bottom"),
    ((0, -5), "center", "top"),
    *(((x, y), across, up) for y, up in ((11, "bottom"), (-11, "top")) for x, across in ((7, "left"), (-7, "right"))),
]
"""Where a name may stand: offset in points from its point, and how it is aligned; tried in this order."""
LEADER = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.4, "shrinkA": 0, "shrinkB": 1}
CLEAR_PX = 2.0


def name_points(axes: "Axes", rows: pd.DataFrame, drawn: pd.DataFrame, x: str, y: str, *, most: int = 16) -> None:
    """Write the ``name`` of each row beside its point, in the order given, where it neither leaves the axes nor covers
    another name or another point; a name that finds no such place is left out.

    Call it when all else is drawn, since the layout decides what there is room for.

    Args:
        rows: points that may be named.
        drawn: all points of the panel.
        x, y: columns that hold the coordinates.
        most: at most so many names.
    """
    axes.figure.canvas.draw()
    points = axes.transData.transform(drawn[[x, y]].to_numpy(dtype=float))
    taken = [text.get_window_extent() for text in axes.texts]
    if axes.get_legend() is not None:
        taken.append(axes.get_legend().get_window_extent())
    named = 0
    for name, at in zip(rows["name"], rows[[x, y]].to_numpy(dtype=float), strict=True):
        others = points[(abs(points - axes.transData.transform(at)) > CLEAR_PX).any(axis=1)]
        for offset, across, up in PLACES if named < most else ():
            look = {"ha": across, "va": up, "fontsize": SIZE_PT, "color": "0.25"}
            text = axes.annotate(name, at, offset, textcoords="offset points", **look)
            box = text.get_window_extent()
            room = box.expanded(1.0 + 2 * CLEAR_PX / box.width, 1.0 + 2 * CLEAR_PX / box.height)
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 + axes.bbox.width * 0.02
            inside &= axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
            if inside and not any(room.overlaps(each) for each in taken) and not room.count_contains(others):
                taken.append(box)
                named += 1
                axes.annotate("", at, offset, textcoords="offset points", arrowprops=LEADER)
                break
            text.remove()
