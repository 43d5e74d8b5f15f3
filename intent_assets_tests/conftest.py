"""The environment of the tests, and projects to run jobs on.

What a developer has set for this project must not reach the tests: `INTENT_…` variables are taken out, and the two that the
package reads at import are set, so that a `.env` beside it cannot change them. One thread per process: the arrays here are
small, and threads that wait for each other on a busy machine make every fit ten times as slow.
"""

import os

for _name in [name for name in os.environ if name.startswith("INTENT_")]:
    del os.environ[_name]
os.environ.update({"INTENT_TIMEZONE": "UTC", "INTENT_START_DATE": "2025-01-01"})
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

warnings.filterwarnings("ignore", module="dagster")

from intent_assets_tests.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project of this test alone."""
    return Project(tmp_path)


@pytest.fixture(scope="module")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """Makes projects that live as long as the module's tests; arguments are environment variables."""

    def make(**environ: str) -> Project:
        return Project(tmp_path_factory.mktemp("project"), dict(environ))

    return make
