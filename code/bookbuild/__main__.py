"""Run a command in the book's environment: ``python -m bookbuild jupyter lab``, from the top of the book.

Binder and ``make lab`` do.
"""

import os
import sys

from bookbuild import environment

environment.adopt(environment.settings())
os.execvp(sys.argv[1], sys.argv[1:])
