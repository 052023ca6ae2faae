"""ADVI in PyMC, recorded step by step: one fit of a model, or many independent fits compiled once.

Automatic differentiation variational inference [Kucukelbir et al. 2017, JMLR 18(14)] fits a
Gaussian in the model's unconstrained coordinates by stochastic gradients of the ELBO.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mixtures import checks, models
from mixtures.extras import needs
from mixtures.variational.gaussian import Gaussian
from mixtures.variational.recorder import NonFiniteLoss, Recorder, install, softplus, to_gaussian

with needs("pymc"):
    import pymc as pm
    from pymc.distributions.transforms import Ordered

METHODS = {"advi": pm.ADVI, "fullrank_advi": pm.FullRankADVI}
type Start = Gaussian | dict[str, ArrayLike] | ArrayLike | None


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A fit of ADVI, and how it got there.

    Attributes
    ----------
    gaussian : Gaussian
        The final one.
    losses : numpy.ndarray, shape [steps]
        Nats; each from one draw, before the step's update.
    steps : numpy.ndarray of int, shape [frame]
        Steps done at each frame of the path; the first is 0.
    path : tuple of Gaussian
        One for each frame.
    approx : pymc.variational.opvi.Approximation
        As `pymc.fit` returns it.
    """

    gaussian: Gaussian
    losses: np.ndarray
    steps: np.ndarray
    path: tuple[Gaussian, ...]
    approx: Any


@dataclass(frozen=True, eq=False, repr=False)
class Fits:
    """Independent mean-field fits of ADVI.

    Attributes
    ----------
    space : {"raw", "log gap"}
    losses : numpy.ndarray, shape [steps]
        Nats, summed over the copies.
    steps : numpy.ndarray of int, shape [frame]
        Steps done at each frame; the first is 0.
    mean, sd : numpy.ndarray, shape [frame, copy, 2]
        In the coordinates of the space.
    """

    space: str
    losses: np.ndarray
    steps: np.ndarray
    mean: np.ndarray
    sd: np.ndarray

    def gaussian(self, copy: int, frame: int = -1) -> Gaussian:
        """Return the Gaussian of one copy at one frame; the final one if no frame is named.

        Parameters
        ----------
        copy, frame : int
            Both counted from 0; negative numbers count from the end.
        """
        return Gaussian.of(self.mean[frame, copy], self.sd[frame, copy], space=self.space)


def _check(steps: int, optimizer: Callable[..., Any] | None, seed: int, every: int | None) -> None:
    checks.whole(steps, "steps")
    checks.generator(seed)
    if every is not None:
        checks.whole(every, "every")
    if not (optimizer is None or callable(optimizer)):
        raise ValueError(
            "optimizer: expected one of PyMC's, such as pm.adam(learning_rate=0.01),"
            f" got {optimizer!r}"
        )


def _space(model: pm.Model, var_name: str) -> str:
    """Return the space that a model's transform works in, or say what is wrong with the model."""
    if not isinstance(model, pm.Model):
        raise ValueError(f"model: expected a pymc.Model, got {type(model).__name__}")
    names = [variable.name for variable in model.free_RVs]
    if var_name not in names:
        raise ValueError(
            f"var_name: expected a free variable of the model, one of {names}, got {var_name!r}"
        )
    variable = model[var_name]
    if len(names) > 1 or variable.type.ndim != 1:
        raise ValueError(
            f"model: expected {var_name}, shape [2], as its only free variable, got {names}"
        )
    transform = model.rvs_to_transforms[variable]
    if transform is None:
        return "raw"
    if isinstance(transform, Ordered) and transform.ascending and not transform.positive:
        return "log gap"
    raise ValueError(
        f"model: expected {var_name} untransformed or ordered, got {type(transform).__name__}"
    )


def _means(value: ArrayLike, name: str, ordered: bool, shape: tuple[int, ...] = (2,)) -> np.ndarray:
    """Return a start in the means as an array, or say by name what is wrong with it."""
    means = checks.numbers(value, name)
    if means.shape != shape or not np.isfinite(means).all():
        raise ValueError(f"{name}: expected finite numbers of shape {list(shape)}, got {value!r}")
    if ordered and (np.diff(means, axis=-1) <= 0).any():
        raise ValueError(
            f"{name}: expected increasing means under the ordered transform, got {value!r}"
        )
    return means


def _start(
    model: pm.Model, var_name: str, space: str, method: str, start: Start
) -> dict[str, np.ndarray] | None:
    """Return a checked start as `pymc.fit` takes it; none if the model's own is one."""
    ordered = space == "log gap"
    if isinstance(start, Gaussian):
        if start.space != space:
            raise ValueError(
                f"start: expected a Gaussian in the space {space!r}, got one in {start.space!r}"
            )
        if method == "advi" and start.covariance[0, 1] != 0:
            raise ValueError(
                "start: expected independent coordinates for 'advi',"
                f" got correlation {start.corr:.3g}"
            )
        return {var_name: start.to_means(start.mean)}
    if isinstance(start, dict):
        if set(start) != {var_name}:
            raise ValueError(
                f"start: expected the key {var_name!r} and no other, got {sorted(map(str, start))}"
            )
        return {var_name: _means(start[var_name], "start", ordered)}
    if start is not None:
        return {var_name: _means(start, "start", ordered)}
    initval = model.rvs_to_initial_values[model[var_name]]
    if ordered:
        # PyMC would start both means at the prior's, take the logarithm of no gap, and report an
        # infinite loss
        if initval is None or isinstance(initval, str):
            raise ValueError(
                f"initval: ordered {var_name} need one that increases, such as [-1, 1],"
                f" got {initval!r}"
            )
        _means(initval, "initval", ordered)
    return None


def _run(
    inference: Any, model: pm.Model, steps: int, optimizer: Callable[..., Any] | None,
    every: int | None,
) -> Recorder:
    """Fit, and return the recorder; fail at the first loss that is not finite.

    PyMC does so for NaN alone.
    """
    recorder = Recorder(inference.approx, steps, every)
    chosen = {} if optimizer is None else {"obj_optimizer": optimizer}
    try:
        pm.fit(
            steps, method=inference, model=model, callbacks=[recorder], progressbar=False, **chosen
        )
    except NonFiniteLoss:
        raise
    except FloatingPointError:
        raise recorder.failure("loss is nan", recorder.done + 1) from None
    return recorder


def fit(
    model: pm.Model, method: str = "advi", *, steps: int = 15_000,
    optimizer: Callable[..., Any] | None = None, start: Start = None, seed: int,
    every: int | None = None, var_name: str = "means",
) -> Fit:
    """Fit a model of two means by ADVI in PyMC, and keep the path.

    Parameters
    ----------
    model : pymc.Model
        With one free variable of shape [2], either untransformed or under PyMC's ordered transform,
        as built by `mixtures.models`. An ordered one needs an increasing ``initval`` or `start`.
    method : {"advi", "fullrank_advi"}
        Mean-field or full-rank.
    steps : int
        How many steps of the optimiser.
    optimizer : callable, optional
        One of PyMC's, such as ``pm.adam(learning_rate=0.01)``. PyMC's default, ``adagrad_window``
        with learning rate 0.001, if None.
    start : dict, array_like of shape [2], or Gaussian, optional
        Where the means start, as `pymc.fit` takes it or without the name; the model's initial point
        if None. A Gaussian sets the covariance too, which otherwise starts with standard deviations
        log 2 (mean-field) or 1.31.
    seed : int
        Of the draws that the gradients are taken from, at least 0.
    every : int, optional
        Steps between the frames of the path; start and end only if None.
    var_name : str
        The free variable.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If an argument is malformed, or if the means of an ordered model do not start in increasing
        order.
    NonFiniteLoss
        A FloatingPointError, if a loss or a parameter is not finite; it names the step.
    """
    _check(steps, optimizer, seed, every)
    checks.choice(method, "method", METHODS)
    space = _space(model, var_name)
    point = _start(model, var_name, space, method, start)
    inference = METHODS[method](model=model, random_seed=int(seed), start=point)
    if inference.approx.ddim != 2:
        raise ValueError(
            f"model: expected {var_name} of shape [2], got {inference.approx.ddim} numbers"
        )
    if isinstance(start, Gaussian):
        install(start, inference.approx)
    recorder = _run(inference, model, steps, optimizer, every)
    path = tuple(to_gaussian(frame, space) for _, frame in recorder.frames)
    return Fit(path[-1], inference.hist, recorder.steps, path, inference.approx)


def fits(
    x: ArrayLike, copies: int, *, ordered: bool = False, steps: int = 15_000,
    optimizer: Callable[..., Any] | None = None, start: ArrayLike | None = None, seed: int,
    every: int | None = None,
) -> Fits:
    """Fit the unordered or the ordered model many times by mean-field ADVI, compiled once.

    All copies are fitted together, as one model with as many independent parts. Their gradients do
    not mix, their noise is independent, and an optimiser that treats each parameter on its own
    (``adagrad_window``, ``adam``) then makes as many independent fits. One that looks at all
    parameters at once, as by a constraint on the norm of the gradient, would not.

    Parameters
    ----------
    x : array_like, shape [n]
        The observations, the same for all copies.
    copies : int
        How many independent fits.
    ordered : bool
        Whether to fit `mixtures.models.ordered`, otherwise `mixtures.models.unordered`.
    steps, optimizer, seed, every
        As for `fit`.
    start : array_like, shape [copy, 2] or [2], optional
        Where the means of each copy start; the model's initial point if None.

    Returns
    -------
    Fits

    Raises
    ------
    ValueError
        If an argument is malformed, or if ordered means do not start in increasing order.
    NonFiniteLoss
        A FloatingPointError, if a loss or a parameter is not finite; it names the step.
    """
    x, copies = checks.observations(x), checks.whole(copies, "copies")
    _check(steps, optimizer, seed, every)
    point = None
    if start is not None:
        each = checks.numbers(start, "start")
        each = np.tile(each, (copies, 1)) if each.shape == (2,) else each
        point = {"means": _means(each, "start", ordered, (copies, 2))}
    model = models.copies(x, copies, ordered)
    inference = pm.ADVI(model=model, random_seed=int(seed), start=point)
    recorder = _run(inference, model, steps, optimizer, every)
    mean, sd = (
        np.array([frame[name] for _, frame in recorder.frames]).reshape(-1, copies, 2)
        for name in ("mu", "rho")
    )
    return Fits("log gap" if ordered else "raw", inference.hist, recorder.steps, mean, softplus(sd))
