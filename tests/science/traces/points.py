"""Eighty points of two Gaussians, the data of all traces made here."""

import numpy as np

rng = np.random.default_rng(20)
z = rng.random(80) < 0.35
y = np.where(z, rng.normal(3, 1.5, 80), rng.normal(-2, 0.6, 80)).round(2)
np.savetxt("points.csv", y, fmt="%.2f", header="y", comments="")
