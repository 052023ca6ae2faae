"""The house style: colours, how a chapter begins, and how it shows the code it shares.

A colour means the same thing everywhere in the book: near-black is the exact truth, each method has
its own. The set is Okabe and Ito's, which colour-blind readers can tell apart.
"""

import ast
import inspect
import logging
from collections.abc import Callable
from typing import Any

from mixtures import claims
from mixtures.extras import needs

with needs("chapters"):
    import seaborn as sns
    from IPython.display import Markdown
    from matplotlib_inline.backend_inline import set_matplotlib_formats

EXACT = "#111111"
DATA = "#999999"
COMPONENTS = ["#56B4E9", "#E69F00"]
METHODS = {
    "unordered": "#0072B2",
    "ordered": "#D55E00",
    "mean-field": "#009E73",
    "full-rank": "#CC79A7",
}


def begin(chapter: str) -> None:
    """Begin a chapter: name it for the ledger, set the style, and keep progress messages out.

    Parameters
    ----------
    chapter : str
        The name of the chapter's file, without its ending.
    """
    claims.begin(chapter)
    logging.getLogger("pymc").setLevel(logging.WARNING)
    # the same drawing gives the same bytes
    set_matplotlib_formats("svg", metadata={"Date": None})
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=COMPONENTS + list(METHODS.values()),
        rc={
            "axes.spines.top": False, "axes.spines.right": False, "figure.figsize": (6, 3.4),
            "figure.dpi": 100, "figure.constrained_layout.use": True, "font.size": 11,
            "legend.frameon": False, "lines.linewidth": 1.4, "savefig.transparent": True,
            "svg.hashsalt": "which component",
        },
    )


def source(thing: type | Callable[..., Any]) -> Markdown:
    """Return the source of a function without its docstring, to be displayed in a chapter.

    Parameters
    ----------
    thing : function or class
        From the top level of a module.

    Returns
    -------
    IPython.display.Markdown
        A block of Python code.

    Raises
    ------
    TypeError or OSError
        If `thing` has no source, as what is built into Python.
    """
    lines = inspect.getsource(thing).splitlines()
    function = ast.parse("\n".join(lines)).body[0]
    if (
        isinstance(function, ast.FunctionDef | ast.ClassDef)
        and ast.get_docstring(function) is not None
    ):
        del lines[function.body[0].lineno - 1 : function.body[0].end_lineno]
    return Markdown("\n".join(["```python", *lines, "```"]))
