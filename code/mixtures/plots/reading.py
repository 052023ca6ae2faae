"""What a figure shows, read back from it, so that a claim can hold what its caption says."""

import numpy as np

from mixtures.extras import needs

with needs("chapters"):
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.lines import Line2D


def drawn(ax: Axes) -> dict[str, np.ndarray]:
    """Return what stands under each name of a figure's legend.

    A claim that reads it is about the figure that a reader sees: it fails if labels change places.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With lines or bars that have labels.

    Returns
    -------
    dict of str to ndarray, shape [2, point]
        Places and heights of each line or set of bars, in the order of the legend.

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
    return dict(zip(labels, map(_points, artists), strict=True))


def _points(artist: Artist | BarContainer) -> np.ndarray:
    """Return the places and heights, shape [2, point], of a line or of a set of bars."""
    if isinstance(artist, Line2D):
        return np.array(artist.get_data(), dtype=float)
    if isinstance(artist, BarContainer):
        boxes = [bar.get_bbox() for bar in artist]
        return np.array([[(box.x0 + box.x1) / 2, box.y1] for box in boxes]).T
    raise ValueError(f"ax: expected lines and bars to have labels, got {artist}")
