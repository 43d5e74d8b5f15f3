"""`intent-assets estimate`: what a run would take of the hosted teacher, before anything is sent to it.

The traces are read first, which costs nothing; then everything is reckoned from what is stored. No key is needed. Only with
`--count` is the vendor asked something, for its free count of tokens.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from intent_assets.assets.clusters import FILE as CLUSTERS_FILE
from intent_assets.assets.taxonomy import was_asked
from intent_assets.commands import terminal
from intent_assets.commands.money import left_of_budgets, room_of_a_run, usd
from intent_assets.commands.run import days_to_run, run_or_exit
from intent_assets.connections import anthropic_model
from intent_assets.contracts import Store
from intent_assets.intents import estimate
from intent_assets.intents.arrow_bytes import from_parquet
from intent_assets.intents.asking import Desk
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.days import check_day
from intent_assets.intents.estimate import Found, Part
from intent_assets.intents.estimate_texts import WindowTexts, long_traces, window_texts
from intent_assets.intents.label_rounds import Budgeted
from intent_assets.intents.labels_by_model import examples_among
from intent_assets.intents.model_labels import Labelling, Shown
from intent_assets.intents.taxonomy import Intent, Taxonomy
from intent_assets.intents.taxonomy_by_model import TaxonomyTeacher
from intent_assets.intents.taxonomy_given import given_by_people
from intent_assets.intents.taxonomy_versions import latest_taxonomy
from intent_assets.intents.versions import Version, latest_folder
from intent_assets.intents.window import window_of
from intent_assets.resources import make_source, open_store, utc_now
from intent_assets.schedules import range_tags
from intent_assets.settings import Settings
from intent_assets.tables import CLUSTERS, RAW_TRACES
from intent_assets.teacher_contracts import Request
from intent_assets.teaching import Cleaner, estimating_desk, prices, summary_style, taxonomy_teacher

OFFLINE = (
    "The offline teacher costs nothing: no model is asked. What Claude would take says `INTENT_TEACHER=anthropic intent-assets estimate`; "
    "it needs no key and sends nothing."
)
Count = Callable[[Request], int]


@dataclass(frozen=True)
class Reckoned:
    """The parts of an estimate, and what was taken for granted."""

    parts: list[Part]
    notes: list[str]
    n_traces: int
    days: list[str]


def show_estimate(settings: Settings, from_day: str | None, to_day: str | None, *, as_json: bool, count: bool) -> None:
    """Read the range of days, reckon, and print; a warning where a budget would stop the run."""
    for day in filter(None, (from_day, to_day)):
        check_day(day)
    if settings.teacher == "offline":
        terminal.say(json.dumps({"teacher": "offline", "usd": 0.0, "parts": []}) if as_json else OFFLINE)
        return
    prices(settings)  # a wrong price file is told before the work
    progress = terminal.RichProgress()
    source = make_source(settings, progress, utc_now)
    days = days_to_run(settings, source.look(None), from_day, to_day)
    run_or_exit("read", settings, tags=range_tags(days[0], days[-1]), source=source, progress=progress)
    store = open_store(settings)
    made = _Reckoning(settings, store, progress, anthropic_model(settings).n_tokens if count else None).run(days)
    if as_json:
        terminal.say(json.dumps(_as_json(settings, store, made), ensure_ascii=False))
    else:
        _show(settings, store, made)


class _Reckoning:
    """One estimate: the parts of a run of `whole_pipeline`, in its order."""

    def __init__(self, settings: Settings, store: Store, progress: terminal.RichProgress, count: Count | None) -> None:
        self._settings, self._store, self._progress, self._count = settings, store, progress, count
        self._clean = Cleaner(settings.redact)
        self._notes: list[str] = []

    def run(self, days: list[str]) -> Reckoned:
        """Reckon a run over these days; discovery reads the window, whatever the range is."""
        settings, tables = self._settings, self._store.tables
        by_model = settings.summaries == "model"
        window_days = window_of(tables.days(RAW_TRACES), settings.window_days)
        style = summary_style(settings) if by_model else None
        window = window_texts(tables, window_days, cap=settings.sample_cap, seed=settings.seed, style=style)
        self._note_tokens()
        parts = [self._summaries(days)] if by_model else []
        parts += self._taught(window) if window.texts else []
        n_traces = sum(tables.count(RAW_TRACES, day) for day in days)
        return Reckoned(parts, self._notes, n_traces, days)

    def _summaries(self, days: list[str]) -> Part:
        style = summary_style(self._settings)
        days_of_long = long_traces(self._store.tables, days, style, self._clean)
        return estimate.expected_summaries(days_of_long, style, self._desk("summaries", may_batch=True))

    def _taught(self, window: WindowTexts) -> list[Part]:
        settings, artifacts = self._settings, self._store.artifacts
        previous = latest_taxonomy(artifacts)
        given = given_by_people(stored_corrections(artifacts), previous, from_labels=settings.labels is not None)
        known = _known(given, previous, from_given=given is not None and not settings.discover)
        version = latest_folder(artifacts, "clusters")
        n_groups = self._n_groups(window, version)
        taxonomy = estimate.expected_intents(window, n_groups, known, settings.max_intents)
        labels = self._labels(window, taxonomy)
        if given is not None and not settings.discover:
            return labels
        teacher = taxonomy_teacher(settings, self._desk("taxonomy", may_batch=False), self._clean)
        is_same = version is not None and self._is_same(window, version)
        if version and previous and is_same and was_asked(self._store, version, previous, given, teacher):
            self._notes.append("The traces are those of the last run: its taxonomy stays, and so do its labels.")
            return labels
        self._note_groups(window, n_groups, known, is_guess=version is None)
        return [self._taxonomy(window, n_groups, known, teacher), *labels]

    def _is_same(self, window: WindowTexts, version: Version) -> bool:
        """Whether the traces that would be clustered are those that were."""
        rows = from_parquet(self._store.artifacts.get(f"{version.path}/{CLUSTERS_FILE}"), CLUSTERS, version.path)
        return window.traces == set(zip(rows["source"].to_pylist(), rows["trace_id"].to_pylist(), strict=True))

    def _taxonomy(self, window: WindowTexts, n_groups: int, known: list[Intent], teacher: TaxonomyTeacher) -> Part:
        model, usual = teacher.model, teacher.desk.purse.usual_answer(teacher.model)
        self._notes.append(
            f"Thoughts of {model} are paid as answers, and how long they are is not known before its first answer; none are reckoned."
            if usual is None
            else f"Answers of {model} are reckoned with its thoughts, {usual:,} tokens a call in the last 30 days."
        )
        return estimate.expected_taxonomy(window, n_groups, known, teacher)

    def _labels(self, window: WindowTexts, taxonomy: Taxonomy) -> list[Part]:
        settings = self._settings
        people = examples_among(stored_corrections(self._store.artifacts), taxonomy)
        shown = [Shown(name, self._clean(text)) for text, name in people]
        labelling = Labelling(taxonomy, settings.use_case, settings.labels_per_request, self._clean, is_clean=settings.redact)
        desk, strong = self._desk("llm_labels", may_batch=True), self._desk("llm_labels", may_batch=False)
        n_rechecks = round(settings.recheck_share * settings.n_labels)
        budget = Budgeted(settings.n_labels, n_rechecks, settings.seed, one_round=desk.sender.is_batch)
        models = (settings.label_model, settings.strong_model)
        if n_rechecks and models[0] != models[1]:
            self._notes.append(
                f"How many labels are doubted is not known: a quarter of the most, {n_rechecks:,} (INTENT_RECHECK_SHARE), is reckoned."
            )
        return estimate.expected_labels(window, labelling, shown, settings.n_examples, models, (desk, strong), budget)

    def _n_groups(self, window: WindowTexts, version: Version | None) -> int:
        if version is None:
            return estimate.expected_groups(window.n_traces, None, self._settings.max_intents)
        n_clustered = min(int(str(version.manifest["n_in_window"])), self._settings.sample_cap)
        found = Found(int(str(version.manifest["n_clusters"])), n_clustered)
        return estimate.expected_groups(window.n_traces, found, self._settings.max_intents)

    def _desk(self, asset: str, *, may_batch: bool) -> Desk:
        batch = may_batch and self._settings.llm_mode == "batch"
        return estimating_desk(self._settings, self._store, asset, utc_now, self._progress, self._count, batch=batch)

    def _note_tokens(self) -> None:
        self._notes.append(
            "Tokens are reckoned from the length of texts, at the rate of Anthropic's own count of one request of each kind."
            if self._count
            else "Tokens are reckoned as one for 3.5 bytes, a rule for English. With --count Anthropic is asked for its own count, free of "
            "charge; one request of each kind, redacted as ever, is sent for that."
        )

    def _note_groups(self, window: WindowTexts, n_groups: int, known: list[Intent], *, is_guess: bool) -> None:
        basis = "a guess from their number; broad intents make a third of it" if is_guess else "from the newest clusters"
        self._notes.append(f"{window.n_traces:,} traces make about {n_groups} groups: {basis}.")
        if known:
            self._notes.append("Labels are kept where the taxonomy stays word for word as it is; where it changes all are asked anew.")


def _known(given: Taxonomy | None, previous: Taxonomy | None, *, from_given: bool) -> list[Intent]:
    """The intents there will be without discovery; with it, the people's and those of the newest taxonomy."""
    of_people = list(given.active) if given else []
    if from_given or previous is None:
        return of_people
    listed = {intent.id for intent in of_people}
    return [*of_people, *(intent for intent in previous.active if intent.id not in listed)]


def _show(settings: Settings, store: Store, made: Reckoned) -> None:
    total = estimate.total(made.parts)
    rows = [_row(part.what, part.model, f"{part.n_items:,}", part) for part in made.parts]
    rows.append(_row("together", "", "", Part("", "", "", 0, total)))
    title = f"Expected for {made.n_traces:,} traces, {made.days[0]} to {made.days[-1]} (INTENT_LLM_MODE={settings.llm_mode})"
    terminal.table(title, rows, right=("asked about", "calls", "tokens", "dollars"))
    table = prices(settings)
    terminal.say(f"Prices of {table.as_of} ({', '.join(table.files)}). {left_of_budgets(settings, store)}")
    for note in made.notes:
        terminal.say(f"- {note}")
    needed, room = estimate.needed_usd(made.parts), room_of_a_run(settings, store)
    if needed > room:
        terminal.complain(
            f"The budgets leave {usd(room)}, the run needs {usd(needed)}, because what a request can cost at most is set aside until it is "
            "answered. It would stop there, keep what it has and say what is missing. "
            "Raise INTENT_RUN_BUDGET_USD or INTENT_BUDGET_USD, or lower INTENT_N_LABELS or INTENT_TAXONOMY_SAMPLE."
        )


def _row(what: str, model: str, n_items: str, part: Part) -> dict[str, object]:
    seen = part.forecast
    return {
        "what": what,
        "model": model,
        "asked about": n_items,
        "calls": f"{seen.n_calls:,}",
        "tokens": f"{seen.n_tokens:,}",
        "dollars": usd(seen.usd),
    }


def _as_json(settings: Settings, store: Store, made: Reckoned) -> dict[str, object]:
    total, room = estimate.total(made.parts), room_of_a_run(settings, store)
    return {
        "teacher": settings.teacher,
        "mode": settings.llm_mode,
        "n_traces": made.n_traces,
        "from": made.days[0],
        "to": made.days[-1],
        "usd": total.usd,
        "n_calls": total.n_calls,
        "n_tokens": total.n_tokens,
        "parts": [
            {"what": part.what, "asset": part.asset, "model": part.model, "n_items": part.n_items, **asdict(part.forecast)}
            for part in made.parts
        ],
        "prices_as_of": str(prices(settings).as_of),
        "left_for_a_run_usd": room,
        "needed_usd": estimate.needed_usd(made.parts),
        "passes_budget": estimate.needed_usd(made.parts) > room,
        "notes": made.notes,
    }
