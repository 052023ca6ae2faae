"""What is not installed with the package alone, and how to get it."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Have a missing package's error name the extra that brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        says = f"{error.name} is missing: pip install 'which-component[{extra}]' brings it"
        raise ModuleNotFoundError(says, name=error.name) from error
