"""What a figure shows, read back from it, so that a claim can hold what its caption says."""

import numpy as np

from mixtures.extras import needs

with needs("chapters"):
    import pandas as pd
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.lines import Line2D


def drawn(ax: Axes) -> dict[str, pd.DataFrame]:
    """Return what stands under each name of a figure's legend.

    A claim that reads it is about the figure that a reader sees: it fails if labels change places,
    in the legend or on the axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With lines or bars that have labels.

    Returns
    -------
    dict of str to pandas.DataFrame
        The points of each line or set of bars, in the order of the legend. Columns are the places
        and the heights, under the labels of the two axes, or "x" and "y" where an axis has none.

    Raises
    ------
    ValueError
        If nothing has a label, several things have the same one, or neither a line nor bars have.
    """
    artists, labels = ax.get_legend_handles_labels()
    if legend := ax.get_legend():
        labels = [text.get_text() for text in legend.get_texts()]
    if not labels or len({*labels}) < len(labels):
        raise ValueError(f"ax: expected labels that differ from one another, got {labels}")
    axes = [ax.get_xlabel() or "x", ax.get_ylabel() or "y"]
    points = (pd.DataFrame(_points(artist), columns=axes) for artist in artists)
    return dict(zip(labels, points, strict=True))


def _points(artist: Artist | BarContainer) -> np.ndarray:
    """Return the places and heights, shape [point, 2], of a line or of a set of bars."""
    if isinstance(artist, Line2D):
        return np.array(artist.get_xydata(), dtype=float)
    if isinstance(artist, BarContainer):
        boxes = [bar.get_bbox() for bar in artist]
        return np.array([[(box.x0 + box.x1) / 2, box.y1] for box in boxes])
    raise ValueError(f"ax: expected lines and bars to have labels, got {artist}")
