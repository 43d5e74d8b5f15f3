"""What people said about intents on a Langfuse server: annotations of our score, and items of chosen datasets.

An annotation counts when a person made it (it has an author). Every read is a whole one, newest first, up to MAX_ANNOTATIONS:
the servers can filter by when a score was given but not by when it was changed. Which labels win is intents/person_labels.py's matter.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute
from intent_assets.adapters.langfuse_scores import SCORES_V2, SCORES_V3
from intent_assets.adapters.live_rows import instant, written
from intent_assets.errors import BadInput, some
from intent_assets.label_contracts import PeopleSaid, PersonLabel

DATASETS = "/api/public/v2/datasets"
ITEMS = "/api/public/dataset-items"
PAGE = 100  # rows in one answer, the most that servers give
MAX_ANNOTATIONS = 10_000  # a hundred requests, four minutes on the smallest plan

Json = Mapping[str, Any]


class LangfuseLabels:
    """A CorrectionSource.

    Args:
        http: the connection.
        score_name: INTENT_SCORE_NAME; annotations of this name count.
        since: annotations given before are left out (UTC).
        datasets: names of datasets whose items have an expected intent.
        read_text: what the user said in an input of any shape; None when nothing.
        max_annotations: the newest so many are read.
    """

    name = "langfuse"

    def __init__(
        self,
        http: LangfuseHttp,
        *,
        score_name: str,
        since: datetime,
        datasets: Sequence[str] = (),
        read_text: Callable[[object], str | None],
        max_annotations: int = MAX_ANNOTATIONS,
    ) -> None:
        self._http, self._score_name, self._since, self._datasets = http, score_name, since, datasets
        self._read_text, self._max = read_text, max_annotations

    def read(self) -> PeopleSaid:
        """Return annotations and dataset items as they stand.

        Raises:
            BadInput: a dataset that is not there, or a server without routes for scores; StopRun, TryAgain: as of the connection.
        """
        skipped: Counter[str] = Counter()
        newest: dict[str, Json] = {}
        is_whole = True
        for row in self._rows():
            if len(newest) >= self._max:
                is_whole = False
                break
            other = newest.get(str(row["id"]))
            if other is None or str(row.get("updatedAt")) > str(other.get("updatedAt")):  # rewritten rows are listed twice for a while
                newest[str(row["id"])] = row
        labels = [label for row in newest.values() if (label := self._label(row, skipped))]
        for dataset in self._datasets:
            labels += self._items(dataset, skipped)
        notes = [f"{n} {what}; they are not used." for what, n in sorted(skipped.items())]
        if not is_whole:
            notes.append(f"Only the newest {self._max:,} annotations were read; older ones stay as they were read before.")
        return PeopleSaid(tuple(labels), is_whole, tuple(notes))

    def _label(self, row: Json, skipped: Counter[str]) -> PersonLabel | None:
        """The label of an annotation; None, and counted, where it is none."""
        trace_id, value = _trace_of(row), _value(row)
        if row.get("source") != "ANNOTATION" or row["id"] == f"{trace_id}-{self._score_name}":
            return None
        if not row.get("authorUserId"):  # a program can write such scores too, e.g. to pre-fill them for reviewers
            skipped["annotations without an author, so not by a person"] += 1
        elif trace_id is None:
            skipped["annotations of sessions or experiments, not of traces"] += 1
        elif value is None:
            skipped["annotations that are no names but numbers"] += 1
        else:
            return PersonLabel(value, trace_id, None, str(row["authorUserId"]), _last_changed(row), "annotation")
        return None

    def _rows(self) -> Iterator[Json]:
        """Annotations under the score's name, newest first, from the route that the server has."""
        try:
            yield from self._rows_v3()
        except NoSuchRoute:
            try:
                yield from self._pages(SCORES_V2, {**self._asked(), "fields": "score"})
            except NoSuchRoute as error:
                raise BadInput(f"Langfuse: expected a route that lists scores, came 404 from both ({error}). Upgrade the server.") from None

    def _asked(self) -> dict[str, str | int]:
        return {"name": self._score_name, "source": "ANNOTATION", "fromTimestamp": written(self._since), "limit": PAGE}

    def _rows_v3(self) -> Iterator[Json]:
        params = {**self._asked(), "fields": "subject,annotation"}
        while True:
            answer = self._http.get(SCORES_V3, params)
            yield from answer["data"]
            if not (cursor := answer["meta"].get("cursor")):
                return
            params["cursor"] = cursor

    def _pages(self, path: str, params: Mapping[str, str | int]) -> Iterator[Json]:
        """Rows of a route with page numbers; its totals are not to be relied on."""
        page = 1
        while True:
            rows = self._http.get(path, {**params, "page": page})["data"]
            yield from rows
            if len(rows) < PAGE:
                return
            page += 1

    def _items(self, dataset: str, skipped: Counter[str]) -> Iterator[PersonLabel]:
        """Items with an expected intent and a trace or an input. Archived ones, which some servers list, are left out."""
        try:
            rows = list(self._pages(ITEMS, {"datasetName": dataset, "limit": PAGE}))
        except NoSuchRoute:
            raise BadInput(self._no_such_dataset(dataset)) from None
        for row in rows:
            intent, trace_id = _expected(row.get("expectedOutput")), row.get("sourceTraceId") or None
            text = self._read_text(row.get("input"))
            if row.get("status") == "ARCHIVED":
                continue
            if intent is None:
                skipped[f"items of dataset {dataset} without an expected intent (a name, or {{'intent': name}})"] += 1
            elif trace_id is None and not text:
                skipped[f"items of dataset {dataset} without trace and input"] += 1
            else:
                yield PersonLabel(intent, trace_id, text, f"dataset {dataset}", _last_changed(row), "dataset")

    def _no_such_dataset(self, dataset: str) -> str:
        expected = f"INTENT_LABEL_DATASETS: expected datasets of the Langfuse project, came {dataset!r}"
        try:
            names = [str(row["name"]) for row in self._pages(DATASETS, {"limit": PAGE})]
        except NoSuchRoute:
            return f"{expected}; this server has no datasets. Upgrade it, or unset INTENT_LABEL_DATASETS."
        near = sorted(names, key=lambda name: (name.casefold() != dataset.casefold(), name))
        return f"{expected}, which it does not have. It has: {some(near) or 'none'}. Check the name; capitals count."


def _trace_of(row: Json) -> str | None:
    """The trace that a score of either route is about, itself or through one of its steps."""
    subject = row.get("subject") or {}
    found = row.get("traceId") or (subject.get("id") if subject.get("kind") == "trace" else subject.get("traceId"))
    return str(found) if found else None


def _value(row: Json) -> str | None:
    """The chosen name: older routes have a number in `value` and the name in `stringValue`."""
    if row.get("dataType") not in ("CATEGORICAL", "TEXT"):
        return None
    value = row["stringValue"] if "stringValue" in row else row.get("value")
    return value if isinstance(value, str) and value.strip() else None


def _last_changed(row: Json) -> datetime:
    return instant(str(row.get("updatedAt") or row.get("createdAt") or row.get("timestamp")))


def _expected(output: object) -> str | None:
    found = output.get("intent") if isinstance(output, dict) else output
    return found if isinstance(found, str) and found.strip() else None
