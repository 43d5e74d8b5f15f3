"""Parquet is read in the calling thread alone, so that a process that has read some ends with its own exit code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "intent_assets"
READERS = {"ParquetFile", "ParquetDataset", "ParquetReader", "read_table", "read_pandas"}

STORED = """
import os, sys, threading
from intent_assets.adapters.file_rows import Position, read_rows
from intent_assets.adapters.landing import LandingZone
from intent_assets.adapters.store_files import StoreFiles
from intent_assets.adapters.store_parquet import ParquetStore
from intent_assets.intents.arrow_bytes import from_parquet, to_parquet
from intent_assets.tables import RAW_TRACES, SUMMARIES, empty
from intent_assets_tests.adapters.test_store import DAY, summaries

files = StoreFiles(sys.argv[1])
tables, landing = ParquetStore(files), LandingZone(files, "files")
content = to_parquet(summaries(*map(str, range(500))), SUMMARIES)
landed = to_parquet(empty(RAW_TRACES), RAW_TRACES)
for name in ("one", "two"):
    files.put(f"summaries/day={DAY}/{name}.parquet", content)
for name in (f"_landing/files/day={DAY}/000000001.parquet", "a/user's.parquet"):
    files.put(name, landed if "landing" in name else content)
"""
# Threads that Arrow starts to read ahead or to decode stay until the process ends, so their number tells.
COUNTED = """
import psutil
before = psutil.Process().num_threads()
{way}
print(psutil.Process().num_threads() - before)
"""
WAYS = {
    "all columns": "assert tables.read(SUMMARIES, DAY).num_rows == 500",
    "some columns": "assert tables.read(SUMMARIES, DAY, ['trace_id', 'status']).num_rows == 500",
    "by key": "assert tables.read(SUMMARIES, DAY, keys=summaries('7').select(list(SUMMARIES.key))).num_rows == 1",
    "in batches": "assert sum(part.num_rows for part in tables.scan(SUMMARIES, DAY, batch_rows=100)) == 500",
    "an upsert": "assert tables.upsert(SUMMARIES, DAY, summaries('7', 'new', text='other')).n_new == 1",
    "a merge": "assert tables.compact(SUMMARIES, DAY, max_files=1)",
    "an artefact": "assert from_parquet(content, SUMMARIES, 'here').num_rows == 500",
    "landed rows": "assert landing.read(DAY, 1).traces.num_rows == 0",
    "a user's file": "assert sum(1 for _ in read_rows(files.open(\"a/user's.parquet\"), 'a.parquet', 'a', Position())) == 500",
}
# A thread that Arrow lets read ahead gets no processor while another has work, as on a busy machine; it still holds what it read when
# the reader waits, with the interpreter's lock, and it waits for that lock when the interpreter begins to end.
STARVED = """
import ctypes, io

class Starving(StoreFiles):
    def open(self, path):
        return Starved(super().open(path).read())

class Starved(io.BytesIO):
    def read(self, size=-1):
        if threading.get_native_id() != os.getpid():
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        return super().read(size)

sys.setswitchinterval(0.03)
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(ParquetStore(Starving(sys.argv[1])).read(SUMMARIES, DAY).num_rows, flush=True)
ctypes.PyDLL(None).usleep(20_000)
"""


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_reading_starts_no_thread(way: str, tmp_path: Path) -> None:
    done = python(STORED + COUNTED.format(way=way), tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a thread be starved")
def test_a_process_that_has_read_ends_well_on_a_busy_machine(tmp_path: Path) -> None:
    done = python(STORED + STARVED, tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "500"), done.stderr


def test_parquet_is_opened_in_one_place() -> None:
    openers = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS)
        or (isinstance(node, ast.Import) and any(alias.name == "pyarrow.dataset" for alias in node.names))
    }
    assert openers == {"parquet_files.py"}
