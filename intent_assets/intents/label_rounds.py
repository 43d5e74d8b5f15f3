"""A label budget spent on a hosted model: rounds of traces worth a label, and the doubtful ones asked of a stronger model again.

Answers that are stored count towards the budget, so a relearn pays for new texts only, and a killed run goes on where it was.
Which rows a round asks is label_budget.py's matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from intent_assets.intents.answers import Told
from intent_assets.intents.asking import Desk, ask, foresee
from intent_assets.intents.label_budget import first_round, next_round, quotas
from intent_assets.intents.label_spreading import NO_INTENT, Pool, believed
from intent_assets.intents.model_labels import Labelling, TraceToLabel
from intent_assets.intents.purse import Forecast
from intent_assets.teacher_contracts import OK

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """What a model said of the rows of a pool.

    Attributes:
        told: what is known of each row asked about, by row.
        model: who said it, by row.
        n_rechecked: rows that the strong model was asked about; n_changed: of them, those it labelled otherwise.
        stopped: why not everything was asked; None when it was.
    """

    told: dict[int, Told] = field(default_factory=dict)
    model: dict[int, str] = field(default_factory=dict)
    n_reused: int = 0
    n_rechecked: int = 0
    n_changed: int = 0
    stopped: str | None = None


@dataclass(frozen=True)
class Budgeted:
    """How much is asked: `n_labels` of the model, in one round only if `one_round`, `n_rechecks` of the strong one at most."""

    n_labels: int
    n_rechecks: int
    seed: int
    one_round: bool = False


def label_pool(pool: Pool, items: Sequence[TraceToLabel], labelling: Labelling, model: str, desk: Desk, *, budget: Budgeted) -> Labelled:
    """Spend a label budget on a pool.

    Args:
        pool: n traces.
        items: (n,) what is asked about each.
        labelling: how.
        model: who is asked.
        desk: how it is reached and what may be spent.
        budget: how many labels.

    Raises:
        StopRun, TryAgain: as `ask`; answers are kept.
    """
    question = labelling.question(model)
    told = _stored(items, labelling, model, desk)
    n_reused, stopped = len(told), None
    sizes = _rounds(budget, told)
    for place, quota in enumerate(sizes, start=1):
        failed = [row for row in told if not told[row].is_final]  # asked again with the next round, where they cost least
        rows = [*_next_rows(pool, told, labelling, quota, budget.seed).tolist(), *failed]
        asked = ask(question, [items[row] for row in rows], desk, is_foreseen=True, again=place == len(sizes))
        told |= {row: asked.told[items[row].key] for row in rows if items[row].key in asked.told}
        stopped = asked.stopped
        if stopped is not None:
            break
    return Labelled(told, dict.fromkeys(told, model), n_reused=n_reused, stopped=stopped)


def expect(
    items: Sequence[TraceToLabel], labelling: Labelling, models: tuple[str, str], desks: tuple[Desk, Desk], budget: Budgeted
) -> None:
    """What the labels will take, by as many items spread over the pool; told and noted. The second model and desk are the strong one's.

    What is answered already costs nothing. How many labels the pool will contradict is not known: what asking the strong model can take
    at most is told, and noted when it is.
    """
    (n_labels, labels), (n_rechecks, most) = expected_parts(items, labelling, models, desks, budget)
    desks[0].purse.note(labels)
    desks[0].log(
        f"label: {n_labels:,} traces to ask {models[0]} about: {labels} expected; at most {most} more for "
        f"{n_rechecks:,} doubtful ones that {models[1]} is asked about."
    )


def expected_parts(
    items: Sequence[TraceToLabel], labelling: Labelling, models: tuple[str, str], desks: tuple[Desk, Desk], budget: Budgeted
) -> tuple[tuple[int, Forecast], tuple[int, Forecast]]:
    """How many items the model and the strong one will be asked about at most, and what that takes; stored answers are not asked for."""
    question = labelling.question(models[0])
    stored = _stored(items, labelling, models[0], desks[0])
    answered = {items[row].key for row in stored}
    todo = [item for item in {item.key: item for item in items}.values() if item.key not in answered]
    first = _spread(todo, sum(_rounds(budget, stored)))
    # Without a new label there is nothing new to doubt.
    again = _spread(items, min(budget.n_rechecks, len(first))) if models[0] != models[1] else []
    return (
        (len(first), foresee(question, first, desks[0])),
        (len(again), foresee(labelling.question(models[1]), again, desks[1])),
    )


def recheck(labelled: Labelled, items: Mapping[int, TraceToLabel], labelling: Labelling, model: str, desk: Desk) -> Labelled:
    """Ask a stronger model about rows, and believe it: `items` are what it is asked, by row."""
    question = labelling.question(model)
    asked = ask(question, list(items.values()), desk)
    better = {row: asked.told[item.key] for row, item in items.items() if item.key in asked.told and asked.told[item.key].status == OK}
    changed = [row for row, told in better.items() if labelling.chosen(told) != labelling.chosen(labelled.told[row])]
    return Labelled(
        labelled.told | better,
        labelled.model | dict.fromkeys(better, model),
        labelled.n_reused,
        len(better),
        len(changed),
        labelled.stopped or asked.stopped,
    )


def answered(items: Sequence[TraceToLabel], labelling: Labelling, model: str, desk: Desk) -> list[int]:
    """Rows that the model has answered about before; of equal items the first row, ascending."""
    return sorted(_stored(items, labelling, model, desk))


def doubtful(labelled: Labelled, pool: Pool, labelling: Labelling, n: int, seed: int) -> list[int]:
    """At most `n` rows whose label the pool contradicts, once all labels are spread over it; the most contradicted first."""
    rows, codes = _coded(labelled.told, labelling)
    if not n or len(np.unique(codes)) < 2:
        return []
    n_intents = len(labelling.intents)
    belief = believed(pool.vectors[pool.place[rows]], codes, np.ones(len(rows)), pool=pool, n_intents=n_intents, seed=seed)
    at, own_codes = belief[pool.place[rows]], np.where(codes == NO_INTENT, n_intents, codes)
    own = at[np.arange(len(rows)), own_codes]
    against = np.flatnonzero(at.argmax(axis=1) != own_codes)
    worst = against[np.argsort(own[against] - at[against].max(axis=1), kind="stable")][:n]
    return [int(row) for row in rows[worst]]


def _spread(items: Sequence[TraceToLabel], n: int) -> list[TraceToLabel]:
    """At most `n` of the items, from all over."""
    return [items[place] for place in np.linspace(0, len(items) - 1, min(n, len(items))).astype(int).tolist()]


def _stored(items: Sequence[TraceToLabel], labelling: Labelling, model: str, desk: Desk) -> dict[int, Told]:
    """Rows with a final answer, of equal items the first row."""
    question = labelling.question(model)
    stored = desk.answers(question.kind, model, question.prompt_version).find(item.key for item in items)
    first: dict[str, int] = {}
    for row, item in enumerate(items):
        first.setdefault(item.key, row)
    return {first[key]: told for key, told in stored.items() if told.is_final}


def _rounds(budget: Budgeted, told: Mapping[int, Told]) -> list[int]:
    """How many rows each round still asks: the rounds of the whole budget, without what is known."""
    sizes, known = [], len(told)
    for quota in quotas(budget.n_labels):
        if quota > known:
            sizes.append(quota - known)
        known = max(0, known - quota)
    return sizes[:1] if budget.one_round else sizes


def _next_rows(pool: Pool, told: Mapping[int, Told], labelling: Labelling, quota: int, seed: int) -> Rows:
    if not told:
        return first_round(pool, quota, seed=seed)
    rows, codes = _coded(told, labelling, only_ok=False)
    return next_round(pool, rows, codes, quota, seed=seed)


def _coded(told: Mapping[int, Told], labelling: Labelling, *, only_ok: bool = True) -> tuple[Rows, Rows]:
    """Rows asked about, ascending, and the number of each one's intent; NO_INTENT for `other`, and for no answer."""
    number = {intent.id: code for code, intent in enumerate(labelling.intents)}
    rows = [row for row in sorted(told) if told[row].status == OK or not only_ok]
    chosen = [labelling.chosen(told[row]) if told[row].status == OK else None for row in rows]
    codes = [NO_INTENT if intent_id is None else number[intent_id] for intent_id in chosen]
    return np.array(rows, dtype=np.int64), np.array(codes, dtype=np.int64)
