"""The diagnosis of a trace: evidence, a verdict on it, and words for both."""

import html
import textwrap
from dataclasses import dataclass

import xarray as xr

from mixtures import trace
from mixtures.source import Source
from mixtures.switching import words
from mixtures.switching.evidence import gather
from mixtures.switching.thresholds import STANDARD, Thresholds
from mixtures.switching.verdict import verdict
from mixtures.trace import Names


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What a trace says about its labels.

    Attributes
    ----------
    verdict : str
        One of the eight that `diagnose` lists.
    summary : str
        The verdict's reason in a sentence.
    evidence : tuple of str
        What was seen.
    unknown : str
        What this trace cannot tell; empty if there is nothing to add.
    next_step, link : str
        What to do, and the page of the book that says how.
    numbers : xarray.Dataset
        By quantity: ``rhat``, bulk ``ess`` (draws), ``alarm`` (the R-hat above which chance is no
        excuse), ``kind``. By chain: ``mode``, ``switches``, ``sound`` (agrees with the others about
        what has no labels) and, if recorded, ``log_density`` (its mean, nats) and ``divergences``.
        ``permutation`` [chain, draw, component] (which component of the draw takes this place) and
        ``overlap`` [component, other] (share of draws). Empty where the trace allows none.
    """

    verdict: str
    summary: str
    evidence: tuple[str, ...]
    unknown: str
    next_step: str
    link: str
    numbers: xr.Dataset

    def __str__(self) -> str:
        parts = [f"{self.verdict[0].upper()}{self.verdict[1:]}. {self.summary}"]
        parts += [f"- {line}" for line in self.evidence]
        parts += [self.unknown, f"Next: {self.next_step} (In the book: {self.link})"]
        wrapped = [
            textwrap.fill(
                p, 79, subsequent_indent="  " * p.startswith("- "), break_on_hyphens=False)
            for p in parts if p
        ]
        return "\n".join(wrapped)

    __repr__ = __str__

    def table(self) -> list[tuple[str, float, float]]:
        """Return rows of kind of quantity, its worst R-hat and its smallest bulk ESS."""
        if "rhat" not in self.numbers:
            return []
        kind = self.numbers["kind"].to_numpy()
        rhat, ess = (self.numbers[name].to_numpy() for name in ("rhat", "ess"))
        return [
            (k, float(rhat[kind == k].max()), float(ess[kind == k].min()))
            for k in dict.fromkeys(kind)
        ]

    def _repr_html_(self) -> str:
        say = html.escape
        rows = "".join(
            f"<tr><td>{say(k)}</td><td>{r:.3f}</td><td>{e:.0f}</td></tr>"
            for k, r, e in self.table()
        )
        head = "<tr><th>quantity</th><th>worst R-hat</th><th>smallest ESS</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>" if rows else ""
        seen = "".join(f"<li>{say(line)}</li>" for line in self.evidence)
        more = f"<details><summary>Evidence</summary><ul>{seen}</ul></details>" if seen else ""
        unknown = f"<p>{say(self.unknown)}</p>" if self.unknown else ""
        step = f'<p>Next: {say(self.next_step)} <a href="{say(self.link)}">How</a></p>'
        title = say(self.verdict[0].upper() + self.verdict[1:])
        said = f"<p><strong>{title}.</strong> {say(self.summary)}</p>"
        return f"<div>{said}{table}{more}{unknown}{step}</div>"


def diagnose(
    tree: Source, var_name: Names = "means", component_dim: Names = "component", *,
    leave: Names = (), thresholds: Thresholds = STANDARD,
) -> Diagnosis:
    """Tell label switching from its look-alikes, in a trace of any mixture.

    Each draw is relabelled to lie nearest to a pivot. What is left of the chains' disagreement then
    has nothing to do with labels. The verdict is the first that applies:

    - "cannot tell": NaN, constant or too few draws; or a single chain that never switches; or
      chains that disagree, but not on any one of a component's several entries;
    - "not label switching": chains disagree on label-free quantities, do not move, or had many
      divergences;
    - "not only label switching": the same, and the labels of the sound chains differ too;
    - "switching within chains": a chain changes its labelling on the way;
    - "switching between chains": no chain does, but not all have the same;
    - "collapsed component": one is almost empty, or two are equal;
    - "overlapping components": two cannot be told apart in 5 % or more of the draws;
    - "no sign of switching".

    Only variables with a dim of components, the log density and the divergences are looked at.
    What may have labels besides is named in the evidence, with what to type.

    Parameters
    ----------
    tree : xarray.DataTree, xarray.Dataset, xarray.DataArray, InferenceData or path
        A trace as ArviZ has it or saved it, or its posterior, or one variable; dims chain, draw and
        `component_dim`. Not changed.
    var_name : str or list of str
        The variables that must be there; a DataArray counts as the first. Others with
        `component_dim` are evidence.
    component_dim : str or list of str
        The dim that counts the components, of which there are two or more; several if each variable
        has its own, or one has two, as a transition matrix, whose diagonal is looked at.
    leave : str or list of str
        Variables that have no labels besides those that `component_dim` counts, whatever they look
        like: nothing is asked of them. Such as annotators' tables, with as many answers as classes.
    thresholds : Thresholds
        Where the lines are drawn.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError
        If a variable or a dim is missing, or there are fewer than two components or sixteen draws.
    """
    read = trace.read(tree, var_name, component_dim, leave)
    seen, numbers = gather(read, thresholds)
    found = verdict(seen)
    if numbers:
        numbers.attrs = {"verdict": found} | numbers.attrs
    row = words.TABLE[found]
    lines = (*words.evidence(found, seen, numbers), *read.notes)
    said = words.summary(found, seen)
    step = words.next_step(found, seen)
    # who relabelled the draws has put them into one mode
    unknown = words.UNSEEN if read.relabelled and row.unknown == words.ONE_MODE else row.unknown
    return Diagnosis(found, said, lines, unknown, step, row.link, numbers)
