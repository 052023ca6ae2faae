"""Run a command in the book's environment: ``python -m bookbuild jupyter lab``, from the top.

Binder and ``make lab`` do.
"""

import os
import sys

from bookbuild import checkout

checkout.adopt(checkout.settings())
os.execvp(sys.argv[1], sys.argv[1:])
