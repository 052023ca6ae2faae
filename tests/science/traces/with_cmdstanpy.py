"""Write cmdstan.nc, where CmdStanPy and ArviZ are installed, from two files of CmdStan.

Their command::

    ./mixture sample num_chains=2 num_warmup=500 num_samples=1000 thin=10 \
        data file=points.json random seed=3 output file=chain.csv sig_figs=6
"""

import arviz as az
import cmdstanpy
import numpy as np
import xarray as xr

y = np.loadtxt("points.csv", skiprows=1)
fit = cmdstanpy.from_csv(["chain_1.csv", "chain_2.csv"])
tree = az.from_cmdstanpy(fit, observed_data={"y": y})
kept = tree["sample_stats"].to_dataset()[["lp", "energy", "diverging"]]
tree["sample_stats"] = xr.DataTree(kept)
small = {"/posterior": {"z": {"zlib": True, "complevel": 9}}}
tree.to_netcdf("cmdstan.nc", engine="h5netcdf", encoding=small)
