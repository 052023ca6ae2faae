"""The environment in which the book computes: the variables that ``_config.yml`` gives to its kernels.

Machine code depends on them, and so the last digits of draws. What the reader has set stays as it is.
"""

import os
from pathlib import Path

import yaml


def settings(root="."):
    """Return the variables of the kernels by name, as ``_config.yml`` has them."""
    config = yaml.safe_load((Path(root) / "_config.yml").read_text("utf-8"))
    return config["sphinx"]["config"]["bookbuild_environment"]


def adopt(variables):
    """Set environment variables of this process, and of all that it starts, where nobody has set them."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)
