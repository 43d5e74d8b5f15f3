"""What people said about intents on a LangSmith server: corrections of our feedback, and on request the tutorial's labels.

Ours is told from theirs by the id, which is computed, and by the feedback's source. Which labels win is intents/person_labels.py's
matter.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from intent_assets.adapters.langsmith_feedback import MADE_BY, SOURCE, feedback_id, pages
from intent_assets.adapters.langsmith_http import LangSmithHttp
from intent_assets.adapters.langsmith_runs import Runs
from intent_assets.adapters.langsmith_server import LangSmithServer, find_out
from intent_assets.adapters.live_rows import instant, written
from intent_assets.errors import BadInput
from intent_assets.label_contracts import PeopleSaid, PersonLabel

USER_SCORE, CORRECTION = "user-score", "correction"  # keys of the vendor's tutorial for classifiers
DATASETS, EXAMPLES = "/datasets", "/examples"
PAGE = 100
MADE_BY_MACHINES = (SOURCE, "auto_eval")
_NAMES = ("intent", "value", "label", "output", "answer", "desired", "category", "class")

Json = Mapping[str, Any]
Label = dict[str, str | None]
ReadText = Callable[[object], str | None]


class LangSmithLabels:
    """A CorrectionSource. Arguments are those of `read_labels`; `project` is the name or UUID of the project."""

    name = "langsmith"

    def __init__(
        self,
        http: LangSmithHttp,
        *,
        project: str,
        key: str,
        since: datetime,
        read_text: ReadText,
        runs_are_labels: bool = False,
        datasets: Sequence[str] = (),
    ) -> None:
        self._http, self._project, self._key, self._since, self._read_text = http, project, key, since, read_text
        self._runs_are_labels, self._datasets = runs_are_labels, datasets

    def read(self) -> PeopleSaid:
        """Return what stands there now, names of earlier taxonomies too; errors as of `read_labels`."""
        rows = read_labels(
            self._http,
            find_out(self._http, self._project),
            key=self._key,
            known=None,
            since=self._since,
            read_text=self._read_text,
            runs_are_labels=self._runs_are_labels,
            datasets=self._datasets,
        )
        return PeopleSaid(tuple(_person_label(row) for row in rows))


def read_labels(
    http: LangSmithHttp,
    server: LangSmithServer,
    *,
    key: str,
    known: Collection[str] | None,
    since: datetime,
    read_text: ReadText,
    runs_are_labels: bool = False,
    datasets: Sequence[str] = (),
) -> list[Label]:
    """Return labels as rows {trace_id, text, intent, author, created_at, kind}; of each trace or text the newest of a kind.

    A hundred rows of feedback cost one request, ours among them: a correction made in the web pages stands on our own row.

    Args:
        http: the connection.
        server: what it is, and the project.
        key: of our feedback.
        known: names of intents; a correction that names another is left out, capitals aside. None: any name will do.
        since: feedback that was first given before this is left out (UTC).
        read_text: what the user said in an input of any shape; None when nothing.
        runs_are_labels: INTENT_RUNS_ARE_LABELS: the application is itself a classifier of intents, so that what it answered where
            `user-score` is 1, and what `correction` says, are labels; so are the examples of `datasets`. Their names need not be known.
        datasets: names of data sets whose examples are labels.

    Raises:
        BadInput: no such data set; StopRun, TryAgain: as of the connection.
    """
    found = list(_corrections(http, server, key, known, since))
    if runs_are_labels:
        found += _user_scores(http, server, key, since)
        found += _tutorial_corrections(http, server, since)
        for dataset in datasets:
            found += _examples(http, dataset, read_text)
    newest: dict[tuple[str | None, ...], Label] = {}
    for label in sorted(found, key=lambda one: one["created_at"] or ""):
        newest[label["kind"], label["trace_id"], label["text"]] = label
    return list(newest.values())


def _corrections(http: LangSmithHttp, server: LangSmithServer, key: str, known: Collection[str] | None, since: datetime) -> Iterator[Label]:
    names = {name.casefold(): name for name in known or ()}
    for row in _feedback(http, server, key, since):
        said = _said_by_person(row, is_ours=_is_ours(row, key), key=key)
        intent = said if known is None else names.get((said or "").casefold())
        if intent is not None:
            yield _label(row, intent, "correction" if row.get("correction") else "annotation")


def _said_by_person(row: Json, *, is_ours: bool, key: str) -> str | None:
    """The name that a person gave; None where none did.

    We never write a correction, so one on our row is a person's. A word without correction is a person's only from the web pages.
    """
    kind = (row.get("feedback_source") or {}).get("type")
    if not is_ours and kind in MADE_BY_MACHINES:
        return None
    said = _name(row.get("correction"), key)
    if said is None and not is_ours and kind == "app":
        said = _name(row.get("value"), key)
    return said


def _user_scores(http: LangSmithHttp, server: LangSmithServer, key: str, since: datetime) -> Iterator[Label]:
    """What the application answered where people said that it is right."""
    right = {str(row["run_id"]): row for row in _feedback(http, server, USER_SCORE, since) if row.get("score") in (1, 1.0, True)}
    for run in Runs(http, server, key).by_id(list(right), since):
        intent = _name(run.payload.get("outputs"), key)
        if intent:
            yield _label(right[run.trace_id], intent, USER_SCORE)


def _tutorial_corrections(http: LangSmithHttp, server: LangSmithServer, since: datetime) -> Iterator[Label]:
    for row in _feedback(http, server, CORRECTION, since):
        intent = _name(row.get("correction"), CORRECTION) or _name(row.get("value"), CORRECTION)
        if intent and (row.get("feedback_source") or {}).get("type") not in MADE_BY_MACHINES:
            yield _label(row, intent, "tutorial-correction")


def _examples(http: LangSmithHttp, dataset: str, read_text: ReadText) -> Iterator[Label]:
    """Examples of a data set: their input is the text, their output the intent."""
    found = [row for row in http.get(DATASETS, {"name": dataset, "limit": 1}) if row.get("name") == dataset]
    if not found:
        raise BadInput(
            f"INTENT_LABEL_DATASETS: expected a data set of LangSmith, came {dataset!r}, which it does not have. Capitals count."
        )
    offset = 0
    while True:
        rows = http.get(EXAMPLES, {"dataset": str(found[0]["id"]), "limit": PAGE, "offset": offset})
        for row in rows:
            text, intent = read_text(row.get("inputs")), _name(row.get("outputs"), "")
            if text and intent:
                at = str(row.get("modified_at") or row.get("created_at") or "")
                yield {"trace_id": None, "text": text, "intent": intent, "author": dataset, "created_at": at, "kind": "example"}
        offset += len(rows)
        if len(rows) < PAGE:
            return


def _feedback(http: LangSmithHttp, server: LangSmithServer, key: str, since: datetime) -> Iterator[Json]:
    asked = {"session": [server.project_id], "key": [key], "min_created_at": written(since), "include_user_names": True}
    return (row for row in pages(http, asked) if row.get("run_id"))


def _is_ours(row: Json, key: str) -> bool:
    made_by = ((row.get("feedback_source") or {}).get("metadata") or {}).get("made_by")
    return made_by == MADE_BY or str(row["id"]) == feedback_id(str(row["run_id"]), key)


def _label(row: Json, intent: str, kind: str) -> Label:
    source = row.get("feedback_source") or {}
    # Who corrected a row of ours is not said: its source stays ours.
    author = None if source.get("type") == SOURCE else source.get("user_name") or source.get("user_id") or source.get("type")
    at = str(row.get("modified_at") or row.get("created_at") or "")
    run_id = str(row.get("trace_id") or row["run_id"])
    return {"trace_id": run_id, "text": None, "intent": intent, "author": str(author or "langsmith"), "created_at": at, "kind": kind}


def _person_label(row: Label) -> PersonLabel:
    at = instant(row["created_at"] or "1970-01-01")
    return PersonLabel(row["intent"] or "", row["trace_id"], row["text"], row["author"] or "", at, row["kind"] or "")


def _name(value: object, key: str) -> str | None:
    """A name out of a word, or of an object that holds one under a usual key or under its only key."""
    return _one_text(value, (key, *_NAMES))


def _one_text(value: object, keys: Sequence[str]) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if not isinstance(value, dict):
        return None
    words = {name: one for name, one in value.items() if isinstance(one, str) and one.strip()}
    return next((words[name].strip() for name in keys if name in words), None) or (
        next(iter(words.values())).strip() if len(words) == 1 else None
    )
