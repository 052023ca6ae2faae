"""Run a command in the book's environment, as Binder does: ``python -m bookbuild jupyter lab``."""

import os
import sys

from bookbuild import checkout

checkout.adopt(checkout.settings())
os.execvp(sys.argv[1], sys.argv[1:])
