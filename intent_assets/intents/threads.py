"""Numeric work side by side: one thread per processor for whole pieces of work, one numeric thread in each.

Numeric libraries split each small step over threads that then wait for each other: no faster at the sizes met here, several times
as slow on a machine that has other work, and the order of sums, hence the last digits, depends on their number.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MAX_THREADS = 4  # each piece of work holds memory of its own


def one_numeric_thread() -> AbstractContextManager[object]:
    """While entered, BLAS computes with one thread everywhere, and OpenMP in this thread."""
    import sklearn.cluster
    import sklearn.linear_model  # noqa: F401 - brings scipy's BLAS
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(1)
    return limits


def in_threads(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return `work` of every item, in the items' order; the first error is raised. The results do not depend on the machine."""
    from joblib import cpu_count  # type: ignore[import-untyped]

    with one_numeric_thread(), ThreadPoolExecutor(min(MAX_THREADS, cpu_count()), initializer=one_numeric_thread) as pool:
        return list(pool.map(work, items))
