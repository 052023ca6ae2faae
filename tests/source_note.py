"""The source note's steps, straight through as one script, to measure the book against.

Simulate, sample without and with an ordering, fit both with ADVI, and draw each of its figures.
"""

import io
import logging

import arviz as az
import matplotlib
import numpy as np
import pymc as pm
import seaborn as sns
from matplotlib import pyplot as plt

matplotlib.use("agg")
logging.getLogger("pymc").setLevel(logging.WARNING)


def show():
    plt.savefig(io.BytesIO(), format="png", dpi=100)
    plt.close("all")


def draw(tree, combined):
    az.plot_trace_dist(tree, combined=combined)
    show()


def plane(tree, step):
    flat = tree.posterior["means"].values.reshape(-1, 2)[::step]
    sns.kdeplot(x=flat[:, 0], y=flat[:, 1])
    show()


def build(x, **options):
    with pm.Model() as model:
        means = pm.Normal("means", mu=0, sigma=10, shape=2, **options)
        pm.NormalMixture("obs", [0.5, 0.5], mu=means, sigma=1, observed=x)
    return model


def main():
    rng = np.random.default_rng(8)
    z = rng.multinomial(1, [0.5, 0.5], 100).argmax(axis=1)
    x = rng.normal(np.array([-1, 1])[z], 1)
    sns.histplot(x, bins=50, kde=True)
    show()
    transform = pm.distributions.transforms.ordered
    unordered, ordered = build(x), build(x, transform=transform, initval=np.array([-1, 1]))
    settings = {"tune": 2000, "target_accept": 0.95, "chains": 4, "random_seed": 1}
    for model in (unordered, ordered):
        with model:
            trace = pm.sample(10_000, progressbar=False, **settings)
        draw(trace, combined=True)
        plane(trace, 2)
        if model is unordered:
            az.plot_autocorr(trace)
            show()
            draw(trace, combined=False)
    for model in (unordered, ordered):
        with model:
            fit = pm.fit(15_000, method="advi", random_seed=1, progressbar=False)
        plt.plot(fit.hist, ".-", alpha=0.2)
        show()
        draws = fit.sample(10_000, random_seed=1)
        draw(draws, combined=False)
        plane(draws, 1)
        print("average loss", fit.hist[-1000:].mean())


if __name__ == "__main__":
    main()
