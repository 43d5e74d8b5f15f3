"""Tests of intent_assets, laid out as the package is. What is set here holds before anything of the package is imported.

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
os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DAGSTER_DISABLE_TELEMETRY": "1"})
