"""Write pystan.nc, with an ArviZ before 1.0, where PyStan is installed."""

from pathlib import Path

import arviz as az
import numpy as np
import stan

y = np.loadtxt("points.csv", skiprows=1)
program = stan.build(Path("mixture.stan").read_text(), {"N": len(y), "y": y}, random_seed=5)
fit = program.sample(num_chains=2, num_warmup=500, num_samples=1000, num_thin=10)
tree = az.from_pystan(fit, observed_data={"y": y}, posterior_model=program)
tree.posterior = tree.posterior.drop_dims("z_dim_0").drop_attrs()
tree.to_netcdf("pystan.nc", groups=["posterior", "observed_data"], engine="netcdf4")
