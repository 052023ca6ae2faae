"""Made recovered.nc: draws, and the memberships that pymc-extras 0.10.0 (PyMC 5.28.5) recovers."""

import numpy as np
import pymc as pm
import xarray as xr
from pymc_extras import marginalize, recover_marginals

RNG = np.random.default_rng(5)
X = np.linspace(-2, 2, 10)
Y = {
    "gaussian": np.append(RNG.normal(-1, 1, 5), RNG.normal(2, 2, 5)),
    "poisson": np.append(RNG.poisson(2, 5), RNG.poisson(8, 5)),
    "regression": RNG.normal(X * RNG.choice([-1, 1], 10), 0.5)}
found = {}
for family, y in Y.items():
    with pm.Model(coords={"component": range(2), "obs": range(10)}) as model:
        weights = pm.Dirichlet("weights", [2, 2], dims="component")
        z = pm.Categorical("z", weights, dims="obs")
        if family == "gaussian":
            means = pm.Normal("means", 0, 3, dims="component")
            sigma = pm.LogNormal("sigma", 0, 0.5, dims="component")
            pm.Normal("y", means[z], sigma[z], observed=y, dims="obs")
        elif family == "poisson":
            rate = pm.Gamma("rate", 2, 0.4, dims="component")
            pm.Poisson("y", rate[z], observed=y, dims="obs")
        else:
            slope = pm.Normal("slope", 0, 2, dims="component")
            pm.Normal("y", slope[z] * X, 0.5, observed=y, dims="obs")
    summed = marginalize(model, ["z"])
    with summed:
        trace = pm.sample(25, tune=500, chains=2, random_seed=1)
    posterior = recover_marginals(trace, model=summed, random_seed=2).posterior
    found[family] = posterior.drop_vars("z").assign(y=("obs", y)).drop_attrs()
xr.DataTree.from_dict(found).to_netcdf("recovered.nc", engine="h5netcdf")
