"""INTENT_SINK=files:<folder>: `tags-YYYY-MM-DD.jsonl` by UTC day, one line per trace, the newest word on each.

A rewrite replaces the file whole and under a lease: two local days may share a UTC day and be delivered at once.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from intent_assets.adapters.store_files import StoreFiles
from intent_assets.adapters.store_lease import lease
from intent_assets.contracts import OutgoingTag, SendResult

LEASE_WAIT_S = 600.0


class FilesSink:
    """A TagSink that writes JSON lines, overwriting by score id."""

    n_requests = 0

    def __init__(self, location: str) -> None:
        self.target = "files"
        self._files = StoreFiles(location)

    def send(self, tags: Sequence[OutgoingTag]) -> Iterator[SendResult]:
        """Merge the tags into the file of their UTC day."""

        def day_of(tag: OutgoingTag) -> str:
            return tag.timestamp.strftime("%Y-%m-%d")

        for day, group in groupby(sorted(tags, key=day_of), key=day_of):
            members = list(group)
            self._merge(f"tags-{day}.jsonl", members)
            for tag in members:
                yield SendResult(tag.trace_id, "written" if tag.intent_id else "withdrawn")

    def _merge(self, name: str, tags: Sequence[OutgoingTag]) -> None:
        with lease(self._files, name, LEASE_WAIT_S):
            # Bytes: text would also be split at line ends that JSON leaves inside a string, such as U+2028.
            lines = {line["score_id"]: line for line in map(json.loads, (self._files.get(name) or b"").splitlines())}
            lines.update({tag.score_id: _line(tag) for tag in tags})
            self._files.put(name, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines.values()).encode())


def _line(tag: OutgoingTag) -> dict[str, object]:
    return {
        "trace_id": tag.trace_id,
        "score_id": tag.score_id,
        "timestamp": tag.timestamp.isoformat(),
        "intent_id": tag.intent_id,
        "intent": tag.value,
        "confidence": tag.confidence,
        "comment": tag.comment,
    }
