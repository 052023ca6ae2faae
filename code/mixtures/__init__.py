"""The science of the book: what its chapters import.

Each module imports only those that stand before it here; a chapter needs the last of each group.

- the ledger: ``claims``; standard errors for it: ``mcse``
- data and models: ``data``, ``transforms``, ``models``
- the exact posterior: ``joint``, ``lattice``, ``quadrature``, ``exact``
- sampling: ``census``
- diagnosis: ``assignment``, ``labels``, ``agreement``, ``switching``
- relabelling: ``memberships``, ``permutations``, ``iterative``, ``carry``, ``relabel``
- variational fits: ``gaussians``, ``bounds``, ``parameters``, ``advi``, ``variational``
- drawing: ``style``, ``plots``, ``film``
"""
