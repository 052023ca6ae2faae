"""One function for each kind of figure, in the house style."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import rankdata

from mixtures.exact import Posterior
from mixtures.extras import needs
from mixtures.plots.contours import MASSES, draw, ends
from mixtures.plots.style import COMPONENTS, DATA, EXACT, METHODS

with needs("chapters"):
    import arviz as az
    import seaborn as sns
    from matplotlib import pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

def histogram(
    x: np.ndarray, density: Callable[[np.ndarray], np.ndarray] | None = None, bins: int = 12
) -> Axes:
    """Draw data as a histogram with a kernel density estimate.

    Parameters
    ----------
    x : numpy.ndarray, shape [n]
        The observations.
    density : callable, optional
        The density from which the data came, drawn as the exact truth.
    bins : int
        How many bars.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax: Axes = sns.histplot(
        x=x, bins=bins, kde=True, stat="density", color=DATA, edgecolor="white", linewidth=0.3
    )
    ax.lines[0].set(label="smoothed histogram", color="#555555", linestyle="--")
    if density is not None:
        at = np.linspace(*ax.get_xlim(), 300)
        ax.plot(at, density(at), color=EXACT, label="true density")
        ax.legend()
    ax.set(xlabel="x")
    return ax


def plane(
    posterior: Posterior, draws: xr.DataArray | None = None, colour: str = EXACT,
    label: str = "draws", ordered: bool = False, ax: Axes | None = None,
) -> Axes:
    """Draw the exact posterior of the two means as contours, over the density of some draws.

    Parameters
    ----------
    posterior : mixtures.exact.Posterior
        Gives the contours.
    draws : xarray.DataArray, dims (chain, draw, component), optional
        Draws of the means; contours alone if None.
    colour, label : str
        Of the draws, in the figure and in its legend.
    ordered : bool
        Whether to fold the exact posterior onto the half plane mu1 < mu2.
    ax : matplotlib.axes.Axes, optional
        Where to draw; in a new figure if None.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.figure(figsize=(4.6, 4.4)).gca() if ax is None else ax
    if draws is not None:
        flat = draws.values.reshape(-1, 2)
        flat = flat[:: max(1, len(flat) // 5000)]  # a density estimate takes seconds for many more
        shares = [*(1 - np.array(MASSES[::-1])), 1]  # the same as those of the exact contours
        sns.kdeplot(
            x=flat[:, 0], y=flat[:, 1], levels=shares, fill=True, color=colour, alpha=0.85,
            bw_adjust=0.7, gridsize=80, ax=ax,
        )
        ax.plot([], [], "s", color=colour, label=label)
    low, high = draw(ax, posterior, ordered)
    ax.plot([], [], color=EXACT, label="exact: 50, 80, 95, 99 %")
    ax.axline((low, low), slope=1, color=DATA, linestyle=":", linewidth=1, label="μ₁ = μ₂")
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal", xlabel="μ₁", ylabel="μ₂")
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, 1.14), ncols=3, fontsize=9, handlelength=1.2,
        columnspacing=1,
    )
    return ax


def trace(
    tree: xr.DataTree, posterior: Posterior, ordered: bool = False, thin: int = 20
) -> np.ndarray:
    """Draw ArviZ's combined density and trace of the means, with the exact marginals.

    Parameters
    ----------
    tree : xarray.DataTree
        With ``means``, dims (chain, draw, component), in its posterior group.
    posterior : mixtures.exact.Posterior
        Gives the marginals.
    ordered : bool
        Whether to draw the exact marginals of the lower and the upper mean, instead of those of mu1
        and mu2.
    thin : int
        Every `thin`-th draw is used.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes, shape [2]
        The densities and the traces.
    """
    collection = az.plot_trace_dist(
        tree.sel(draw=slice(None, None, thin)), var_names=["means"], combined=True,
        figure_kwargs={"figsize": (6, 2.8)},
        visuals={"trace": {"linewidth": 0.6, "linestyle": "-"}},
    )
    axes: np.ndarray = collection.viz["plot"]["means"].values
    at = np.linspace(*ends(posterior), 300)
    exact = posterior.ordered_marginal if ordered else posterior.marginal
    for component in (0, 1) if ordered else (0,):
        axes[0].plot(at, exact(component, at), color=EXACT, linewidth=1)
    axes[0].set(yticks=[], xlabel="means", ylim=(0, None))
    axes[1].set(xlabel="draw", ylabel="means")
    _name_components(axes[0], exact=True)
    return axes


def chains(tree: xr.DataTree, thin: int = 20) -> np.ndarray:
    """Draw ArviZ's trace of the means, one chain below the other.

    Parameters
    ----------
    tree : xarray.DataTree
        With ``means``, dims (chain, draw, component), in its posterior group.
    thin : int
        Every `thin`-th draw is shown.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes, shape [chain]
    """
    collection = az.plot_trace(
        tree.sel(draw=slice(None, None, thin)),
        var_names=["means"],
        sample_dims=["draw"],
        cols=["chain"],
        col_wrap=1,
        aes={"color": ["component"]},
        figure_kwargs={
            "figsize": (6, 1.3 * tree.posterior.sizes["chain"]), "sharex": True, "sharey": True,
        },
        visuals={"trace": {"linewidth": 0.6}, "title": False, "xlabel": False},
    )
    axes: np.ndarray = collection.viz["plot"].values
    for chain, ax in enumerate(axes):
        ax.set_title(f"chain {chain}", loc="left", fontsize=10)
    axes[-1].set_xlabel("draw")
    _name_components(axes[0], bbox_to_anchor=(1, 1.4), loc="upper right", ncols=2)
    return axes


def autocorrelation(tree: xr.DataTree, max_lag: int = 100) -> Axes:
    """Draw ArviZ's autocorrelation of the first mean, one line a chain.

    Parameters
    ----------
    tree : xarray.DataTree
        With ``means``, dims (chain, draw, component), in its posterior group.
    max_lag : int
        The number of lags shown, from 0 on.

    Returns
    -------
    matplotlib.axes.Axes
    """
    collection = az.plot_autocorr(
        tree.posterior.to_dataset()[["means"]].isel(component=[0]), max_lag=max_lag,
        figure_kwargs={"figsize": (6, 3)}, visuals={"credible_interval": False, "title": False},
    )
    ax: Axes = collection.viz["plot"]["means"].values.ravel()[0]
    # ArviZ's own band is made for as many draws as there are lags
    band = 1.96 / np.sqrt(tree.posterior.sizes["draw"])
    ax.axhspan(-band, band, color=DATA, alpha=0.4, linewidth=0)
    ax.set(xlabel="lag", ylabel="autocorrelation of means[0]", ylim=(-0.1, 1.02))
    return ax


def fate(tree: xr.DataTree, posterior: Posterior, max_lag: int = 60) -> np.ndarray:
    """Draw what became of a run: trace, ranks, autocorrelation, and the plane with the contours.

    Parameters
    ----------
    tree : xarray.DataTree
        With ``means``, dims (chain, draw, component), in its posterior group. All panels but the
        last show means[0].
    posterior : mixtures.exact.Posterior
        Gives the contours.
    max_lag : int
        The number of lags shown, from 0 on.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes, shape [2, 2]
    """
    means = tree.posterior["means"]
    first = means.isel(component=0).transpose("chain", "draw").values
    chains, draws = first.shape
    ranks = rankdata(first).reshape(first.shape) / first.size
    lags = means.isel(component=0).azstats.autocorr().transpose("chain", "draw").values[:, :max_lag]
    colours = sns.color_palette("colorblind", chains)
    axes: np.ndarray = plt.subplots(2, 2, figsize=(6, 5.4))[1]
    for chain, colour in enumerate(colours):
        step = max(1, draws // 400)
        axes[0, 0].plot(
            np.arange(0, draws, step), first[chain, ::step], color=colour, linewidth=0.6
        )
        axes[0, 1].hist(ranks[chain], bins=20, range=(0, 1), histtype="step", color=colour)
        axes[1, 0].plot(lags[chain], color=colour)
        some = means.isel(chain=chain).values[:: max(1, draws // 200)]
        axes[1, 1].plot(*some.T, ".", color=colour, markersize=2, alpha=0.6)
    axes[0, 1].axhline(draws / 20, color=EXACT, linewidth=1, linestyle="--")
    axes[0, 0].set(title="trace of means[0]", xlabel="draw")
    axes[0, 1].set(title="ranks of means[0]", xlabel="rank, as a share", yticks=[])
    axes[1, 0].set(title="autocorrelation of means[0]", xlabel="lag", ylim=(-0.1, 1.02))
    draw(axes[1, 1], posterior)
    axes[1, 1].set(title="the plane", xlabel="means[0]", ylabel="means[1]", aspect="equal")
    return axes


def losses(
    histories: Mapping[str, np.ndarray], floors: Mapping[str, float], window: int = 200
) -> np.ndarray:
    """Draw the losses of variational fits against the step, and what none can beat on average.

    Parameters
    ----------
    histories : dict of str to numpy.ndarray, shape [steps]
        For a method named in `METHODS`, its noisy estimate of minus the ELBO at each step, nats.
    floors : dict of str to float
        For the same methods, minus the log evidence, nats.
    window : int
        Steps of the running mean.

    Returns
    -------
    numpy.ndarray of matplotlib.axes.Axes, shape [methods]
    """
    axes: np.ndarray = plt.subplots(1, len(histories), figsize=(6, 3), sharey=True, squeeze=False)[
        1
    ][0]
    for ax, (method, history) in zip(axes, histories.items(), strict=True):
        steps = np.arange(0, len(history), 25)
        ax.plot(steps, history[steps], ".", markersize=2, alpha=0.35, color=METHODS[method])
        smooth = np.convolve(history, np.full(window, 1 / window), mode="valid")
        ax.plot(
            np.arange(window - 1, len(history))[::25], smooth[::25], color=METHODS[method],
            label="loss, smoothed",
        )
        ax.axhline(floors[method], color=EXACT, linewidth=1, label="−log Z, exact")
        ax.set(title=method, xlabel="step")
        ax.legend(loc="upper right", fontsize=9)
    axes[0].set_ylabel("loss (nats)")
    low = min(floors.values())
    axes[0].set_ylim(low - 2, low + 14)
    return axes


def _name_components(ax: Axes, exact: bool = False, **where: Any) -> None:
    """Add a legend that names the two means by their colours."""
    handles = [
        Line2D([], [], color=colour, label=f"means[{k}]") for k, colour in enumerate(COMPONENTS)
    ]
    if exact:
        handles.append(Line2D([], [], color=EXACT, label="exact"))
    ax.legend(handles=handles, fontsize=9, handlelength=1.2, **where)
