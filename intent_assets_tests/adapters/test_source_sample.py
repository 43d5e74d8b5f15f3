"""The bundled sample as a source."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from intent_assets.adapters.source_sample import SampleSource
from intent_assets.adapters.store_files import StoreFiles
from intent_assets.adapters.store_lease import lease
from intent_assets_tests.adapters.files_reader import batches, ids, lines, parse

SAMPLE = [
    {"id": "first", "day_offset": -14, "time": "00:08:15", "input": "a"},
    {"id": "last", "day_offset": -1, "time": "23:59:59", "input": {"message": "b"}},
    {"id": "broken", "input": "c"},
]


def test_the_sample_stays_on_its_days(tmp_path: Path, store: Path) -> None:
    (tmp_path / "traces.jsonl").write_text(lines(SAMPLE))
    files = StoreFiles(str(store))

    def sample(last_day: str) -> SampleSource:
        return SampleSource(
            str(tmp_path / "traces.jsonl"), last_day=last_day, landing=files, parse=parse, lock=partial(lease, files, "landing-sample")
        )

    assert sample("2026-11-20").look(None).days == ("2026-11-07", "2026-11-20")
    assert ids(sample("2026-11-21")) == ["last"]
    with (tmp_path / "traces.jsonl").open("a") as handle:
        handle.write(lines([{"id": "new", "day_offset": -1, "time": "08:00:00", "input": "d"}]))
    later = sample("2026-11-25")
    assert ids(later) == ["last", "new"]
    assert batches(later)[0].traces["timestamp"].to_pylist()[0] == datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
    assert later.days() == ["2026-11-07", "2026-11-20"]
