"""What a hosted teacher will take for a run, from what is stored, before anything is sent.

Which texts are long is known exactly, and so is the length of what is shown. How many groups and intents will be found is not known before
traces are clustered: it is taken from the last clusters, else guessed. What is not known is said with the figures (`notes`).
The same functions as in a run count calls and tokens: `foresee` and those over it. Reading stored texts is in estimate_texts.py.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt

import numpy as np

from intent_assets.intents.asking import Desk, foresee
from intent_assets.intents.draft import expected_steps
from intent_assets.intents.draft_groups import shown_groups
from intent_assets.intents.draft_sheet import DraftIntent, Group
from intent_assets.intents.estimate_texts import WindowTexts
from intent_assets.intents.label_rounds import Budgeted, expected_parts
from intent_assets.intents.model_labels import Labelling, Shown
from intent_assets.intents.model_summaries import LongTrace, SummaryStyle, summary_question
from intent_assets.intents.purse import Forecast
from intent_assets.intents.redaction import excerpt
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import FACET, Intent, Taxonomy
from intent_assets.intents.taxonomy_by_model import TaxonomyTeacher

# Groups found among n traces, as a multiple of the root of n: 1.0 on the bundled sample, 1.4 and 1.7 on BANKING77 and CLINC150, but
# 0.3 to 0.5 where intents are few and broad (HWU64, MASSIVE, SGD, MultiDoGO). Rather too many: about money that is the safer guess.
GROUPS_PER_ROOT = 1.1
# Of the labels that may be asked about again: on the sample and on BANKING77 a teacher without errors was doubted in a
# tenth to a third of them, one with every tenth label wrong in nearly all.
DOUBTED_SHARE = 0.25
FEWEST_GROUPS, MOST_GROUPS = 10, 300
LOOSE_SHARE = 0.01  # of traces, in no group
INTENTS_PER_GROUP = 0.75  # as in draft.expected_steps
PER_GROUP = 20  # traces made up for each; no more than seven are shown
DEFINITION = "Users who want one thing of the application, said in so many words that it is told from what is near it."


@dataclass(frozen=True)
class Part:
    """One kind of work: the asset it is done in, who is asked about how many items, what that takes, and what is set aside at once."""

    what: str
    asset: str
    model: str
    n_items: int
    forecast: Forecast
    at_once_usd: float = 0.0


@dataclass(frozen=True)
class Found:
    """Clusters that are stored: how many, among how many traces."""

    n_clusters: int
    n_traces: int


def expected_summaries(days: Iterable[Sequence[LongTrace]], style: SummaryStyle, desk: Desk) -> Part:
    """Summaries of each day's long traces; a day's requests are its own, and what was answered before is not asked."""
    question, total, seen = summary_question(style), Forecast(), set[str]()
    answers = desk.answers(question.kind, question.model, question.prompt_version)
    for traces in days:
        told = answers.find(trace.key for trace in traces)
        final = {key for key, one in told.items() if one.is_final} | seen
        todo = [trace for trace in {trace.key: trace for trace in traces}.values() if trace.key not in final]
        seen |= {trace.key for trace in todo}
        total += foresee(question, todo, desk)
    return Part("summaries", "summaries", style.model, len(seen), total)


def expected_groups(n_traces: int, found: Found | None, max_intents: int | None) -> int:
    """Groups that clustering so many traces will find: as many more than last time as the root of the number of traces is larger."""
    most = min(MOST_GROUPS, max_intents or MOST_GROUPS, max(1, n_traces // 4))
    if found is None or not found.n_traces:
        return min(most, max(FEWEST_GROUPS, round(GROUPS_PER_ROOT * sqrt(n_traces))))
    return max(1, min(most, round(found.n_clusters * sqrt(n_traces / found.n_traces))))


def expected_taxonomy(window: WindowTexts, n_groups: int, current: Sequence[Intent], teacher: TaxonomyTeacher) -> Part:
    """The steps of the taxonomy loop over made-up groups of stored texts, each group of one of the current intents as far as they go."""
    names = {group: intent.name for group, intent in enumerate(current[:n_groups])}
    groups, loose = _made_up(window, n_groups, names, teacher)
    drafts = [DraftIntent(intent.name, intent.definition, intent.locked, (intent.id,)) for intent in current]
    texts = expected_steps(groups, loose, drafts, teacher.limited_options)
    return Part("taxonomy", "taxonomy", teacher.model, len(texts), teacher.foreseen(texts), teacher.most_at_once(texts))


def expected_intents(window: WindowTexts, n_groups: int, known: Sequence[Intent], max_intents: int | None) -> Taxonomy:
    """A taxonomy of the size to be expected: the known intents, and made-up ones beside them where more are likely."""
    n_likely = max(1, round(INTENTS_PER_GROUP * n_groups))
    n_new = 0 if known else min(n_likely, max_intents or n_likely)
    shown = [excerpt(window.texts[place]) for place in _places(len(window.texts), 2 * n_new)]
    made_up = [
        Intent(f"int_{number:08x}", f"expected_intent_{number}", DEFINITION, tuple(shown[2 * number : 2 * number + 2]))
        for number in range(n_new)
    ]
    return Taxonomy(FACET, 1, None, "estimate", (*known, *made_up))


def expected_labels(
    window: WindowTexts,
    labelling: Labelling,
    sorted_by_people: Sequence[Shown],
    n_examples: int,
    models: tuple[str, str],
    desks: tuple[Desk, Desk],
    budget: Budgeted,
) -> list[Part]:
    """Labels of a sample and what the stronger model is asked again; each trace with some of people's examples, as there will be."""
    items = [
        labelling.item(models[0], text, text_hash(text), _some(sorted_by_people, n_examples, start))
        for start, text in enumerate(window.texts)
    ]
    likely = replace(budget, n_rechecks=round(DOUBTED_SHARE * budget.n_rechecks))
    parts = expected_parts(items, labelling, models, desks, likely)
    names = ("labels", "rechecks")
    return [Part(name, "llm_labels", model, n, forecast) for name, model, (n, forecast) in zip(names, models, parts, strict=True)]


def needed_usd(parts: Sequence[Part]) -> float:
    """The room that a run needs in its budgets: what it takes, and before that, what is set aside for a request until it is answered."""
    until = [sum(part.forecast.usd for part in parts[: place + 1]) + part.at_once_usd for place, part in enumerate(parts)]
    return max(until, default=0.0)


def total(parts: Iterable[Part]) -> Forecast:
    """All parts together."""
    return sum((part.forecast for part in parts), Forecast())


def _made_up(window: WindowTexts, n_groups: int, names: dict[int, str], teacher: TaxonomyTeacher) -> tuple[list[Group], list[str]]:
    """Groups of texts that have nothing in common, as many and as large as are likely, and single ones."""
    rng = np.random.default_rng(teacher.seed)
    per_group = min(PER_GROUP, ceil(window.n_traces / n_groups))
    labels = np.concatenate([np.repeat(np.arange(n_groups), per_group), np.full(round(LOOSE_SHARE * window.n_traces), -1)])
    drawn = np.resize(rng.permutation(len(window.texts)), len(labels))
    vectors = rng.normal(size=(len(labels), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [window.texts[place] for place in drawn.tolist()]
    clean: Callable[[str], str] = teacher.clean
    return shown_groups(texts, vectors, labels, names, sample=teacher.sample, clean=clean, seed=teacher.seed)


def _some(shown: Sequence[Shown], n: int, start: int) -> list[Shown]:
    return [shown[(start + place) % len(shown)] for place in range(min(n, len(shown)))] if shown else []


def _places(n: int, wanted: int) -> list[int]:
    """`wanted` places among n, spread evenly."""
    return np.linspace(0, n - 1, wanted).astype(int).tolist() if n and wanted else []
