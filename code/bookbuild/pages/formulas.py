"""Formulas, set by KaTeX while the book is built: a page neither loads KaTeX nor runs it."""

import functools
from pathlib import Path

import dukpy
import sphinxcontrib.katex
from docutils import nodes
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)
CALL = "module.exports.renderToString(dukpy.tex, {displayMode: dukpy.display})"


@functools.cache
def _engine():
    """Return a JavaScript interpreter that has read KaTeX."""
    script = Path(sphinxcontrib.katex.__file__).with_name("katex.min.js").read_text("utf-8")
    engine = dukpy.JSInterpreter()
    engine.evaljs(f"var module = {{exports: {{}}}}, exports = module.exports; {script}; null")
    return engine


@functools.cache
def render(tex, display=False):
    """Return LaTeX as HTML, with MathML for screen readers; a `ValueError` says what is wrong."""
    try:
        return _engine().evaljs(CALL, tex=tex, display=display)
    except dukpy.JSRuntimeError as error:
        raise ValueError(str(error).splitlines()[0]) from error


def visit_inline(translator, node):
    """Print a formula in running text."""
    translator.body.append(translator.starttag(node, "span", "", CLASS="math"))
    _print(translator, node, display=False)
    translator.body.append("</span>")
    raise nodes.SkipNode


def visit_block(translator, node):
    """Print a formula on a line of its own, with its number if it has one."""
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    _print(translator, node, display=True)
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def _print(translator, node, display):
    try:
        translator.body.append(render(node.astext(), display))
    except ValueError as error:
        logger.warning("formula: %s", error, location=node)


# as Sphinx wants them: for the beginning of a node, and for its end
INLINE, BLOCK = (visit_inline, None), (visit_block, None)
