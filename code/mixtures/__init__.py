"""The science of the book, in rooms: each imports only from those above it.

- ``checks``, ``extras``, ``trace``: what all share: arguments, missing packages, traces read
- ``data``, ``claims``, ``mcse``: simulated data; the book's ledger, and standard errors for it
- ``exact``: the exact posterior of two means
- ``models``, ``transforms``, ``sampling``: the PyMC models, and the book's sampler
- ``variational``: ADVI, and the best Gaussian there is
- ``relabel``: permutations found and applied, a file a method
- ``switching``: the diagnosis of a trace; ``switching.law`` counts switches over many datasets
- ``plots``: figures, and animations
- ``files``: saved traces, for the terminal command

The chapters of the first edition import from ``bounds``, ``census``, ``film`` and ``joint``, which
hand on what has moved.
"""
