"""Write numpyro.nc: python with_numpyro.py, where NumPyro and ArviZ are installed."""

import arviz as az
import jax
import numpy as np
import numpyro
from numpyro import distributions as dist
from numpyro.infer import MCMC, NUTS

y = np.loadtxt("points.csv", skiprows=1)


def model(y):
    theta = numpyro.sample("theta", dist.Dirichlet(np.full(2, 2.0)))
    mu = numpyro.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
    sigma = numpyro.sample("sigma", dist.HalfNormal(2).expand([2]).to_event(1))
    parts = dist.Normal(mu, sigma)
    numpyro.sample("y", dist.MixtureSameFamily(dist.Categorical(theta), parts), obs=y)


mcmc = MCMC(NUTS(model), num_warmup=500, num_samples=1000, num_chains=2, thinning=10,
            chain_method="sequential", progress_bar=False)
mcmc.run(jax.random.key(1), y, extra_fields=["potential_energy", "energy", "diverging"])
tree = az.from_numpyro(mcmc)
tree.to_netcdf("numpyro.nc", engine="h5netcdf")
