"""The science of the book: what its chapters import.

Each module imports only those that stand before it here: ``claims``, ``data``, ``joint``, ``lattice``,
``quadrature``, ``models``, ``exact``, ``census``, ``labels``, ``agreement``, ``switching``, ``plots``.
"""
