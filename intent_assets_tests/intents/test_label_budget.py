"""Which rows a teacher is asked about, and what is learned from the answers on a whole pool."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intent_assets.contracts import Vectors
from intent_assets.errors import BadInput
from intent_assets.intents.folds import TrainingRows, out_of_fold
from intent_assets.intents.heads import fit_linear, score
from intent_assets.intents.label_budget import Answers, Rows, choose_and_ask, first_round, next_round
from intent_assets.intents.label_spreading import NO_INTENT, believed, fit_spread, make_pool, spread_labels

N_GROUPS = 6


def groups(sizes: list[int], spread: float = 0.35, dim: int = 12, seed: int = 0) -> tuple[Vectors, Rows]:
    """Unit vectors around as many random directions, and the group of each."""
    random = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    vectors = random.normal(size=(len(sizes), dim))[codes] + spread * random.normal(size=(len(codes), dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), codes


class Teacher:
    """Answers by the true group and remembers every question."""

    def __init__(self, codes: Rows) -> None:
        self.codes = codes
        self.asked: list[Rows] = []

    def __call__(self, rows: Rows) -> list[str | None]:
        self.asked.append(rows)
        return [f"group {code}" for code in self.codes[rows]]


def test_the_budget_is_spent_in_five_rounds_on_different_rows_and_equally_for_a_seed() -> None:
    vectors, codes = groups([50] * N_GROUPS)
    teacher = Teacher(codes)
    answers = choose_and_ask(vectors, 60, teacher, seed=1)
    assert [len(rows) for rows in teacher.asked] == [18, 11, 11, 10, 10]
    assert len(set(answers.rows.tolist())) == 60 == len(answers.labels)
    assert answers.labels == tuple(f"group {codes[row]}" for row in answers.rows)
    assert (choose_and_ask(make_pool(vectors), 60, Teacher(codes), seed=1).rows == answers.rows).all()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(0, 80))
@settings(max_examples=25, deadline=None)
def test_no_text_is_asked_twice_whatever_the_pool_and_the_budget(repeats: list[int], n_labels: int) -> None:
    vectors, codes = groups([5, 5])
    vectors, codes = vectors[repeats], codes[repeats]
    answers = choose_and_ask(vectors, n_labels, Teacher(codes), seed=0)
    assert len({vectors[row].tobytes() for row in answers.rows}) == len(answers.rows) == min(n_labels, len(set(repeats)))


def test_a_pool_of_one_text_is_asked_once() -> None:
    vectors, _ = groups([1])
    assert choose_and_ask(np.tile(vectors, (40, 1)), 10, Teacher(np.zeros(40, np.int64)), seed=0).rows.tolist() == [0]


def test_a_rare_group_gets_a_label_where_random_misses_it() -> None:
    vectors, codes = groups([400, 400, 4], spread=0.2)
    n_labels = 24
    missed = [2 not in codes[np.random.default_rng(seed).permutation(len(codes))[:n_labels]] for seed in range(5)]
    assert sum(missed) >= 3
    assert all(2 in codes[choose_and_ask(vectors, n_labels, Teacher(codes), seed=seed).rows] for seed in range(5))


def test_later_rounds_ask_about_the_border_and_nowhere_twice() -> None:
    line = np.linspace(0.0, np.pi / 2, 300)
    vectors = np.stack([np.cos(line), np.sin(line)], axis=1).astype(np.float32)
    codes = (line > 0.9).astype(np.int64)
    pool = make_pool(vectors)
    first = first_round(pool, 12, seed=0)
    second = next_round(pool, first, codes[first], 8, seed=0)
    assert len(second) == 8 and not set(first) & set(second)
    assert np.abs(line[second] - 0.9).mean() < 0.5 * np.abs(line[first] - 0.9).mean()


def test_one_intent_so_far_means_more_rows_that_stand_for_the_pool() -> None:
    vectors, codes = groups([30, 30])
    pool = make_pool(vectors)
    asked = np.array([0, 1, 2])
    found = next_round(pool, asked, np.zeros(3, np.int64), 10, seed=0)
    assert len(found) == 10 and not set(found) & set(asked) and set(codes[found]) == {0, 1}


def test_rows_that_no_intent_fits_are_not_asked_again_and_teach_nothing() -> None:
    vectors, codes = groups([60, 60, 60], spread=0.25)
    answers = choose_and_ask(vectors, 30, lambda rows: [None if codes[r] == 2 else f"group {codes[r]}" for r in rows], seed=0)
    names, found = answers.coded()
    assert names == ["group 0", "group 1"] and set(found[codes[answers.rows] == 2]) == {NO_INTENT}
    pool, refused = make_pool(vectors), vectors[answers.rows[found == NO_INTENT]]
    fits = found != NO_INTENT
    known = vectors[answers.rows[fits]], found[fits], np.ones(int(fits.sum()))
    spread = spread_labels(*known, pool=pool, n_intents=2, seed=0, refused=refused)[pool.place]
    assert (spread == np.where(codes == 2, NO_INTENT, codes)).mean() > 0.98


def test_neighbours_outvote_wrong_labels() -> None:
    vectors, codes = groups([150] * N_GROUPS, spread=0.5)
    random = np.random.default_rng(0)
    rows = np.sort(random.permutation(len(codes))[:90])
    wrong = random.random(90) < 0.2
    given = np.where(wrong, (codes[rows] + 1) % N_GROUPS, codes[rows])
    pool = make_pool(vectors)
    head = fit_spread(vectors[rows], given, np.ones(90), pool=pool, n_intents=N_GROUPS, seed=0)
    plain = fit_linear(vectors[rows], given, np.ones(90), N_GROUPS, 0)
    right, right_plain = ((score(h, vectors).linear.argmax(axis=1) == codes).mean() for h in (head, plain))
    assert right > right_plain + 0.03
    spread = spread_labels(vectors[rows], given, np.ones(90), pool=pool, n_intents=N_GROUPS, seed=0)[pool.place]
    assert (spread[rows][wrong] == codes[rows][wrong]).mean() > 0.9


def test_a_spread_head_is_a_head_for_out_of_fold_scores_and_keeps_its_labelled_neighbours() -> None:
    vectors, codes = groups([40] * 3)
    pool, rows = make_pool(vectors), np.arange(0, 120, 4)
    head = fit_spread(vectors[rows], codes[rows], np.ones(30), pool=pool, n_intents=4, seed=0)
    assert head.exemplar_codes.tolist() == sorted(codes[rows].tolist())
    assert not (score(head, vectors).linear.argmax(axis=1) == 3).any()  # nobody labelled intent 3
    labelled = TrainingRows(vectors[rows], codes[rows], np.ones(30), np.arange(30))
    [unseen] = out_of_fold([labelled], 4, partial(fit_spread, pool=pool, n_intents=4, seed=0), 0)
    assert unseen is not None and (unseen.scores.linear.argmax(axis=1) == codes[rows]).mean() > 0.9


def test_beliefs_are_shares_also_for_a_row_without_neighbours() -> None:
    vectors, codes = groups([20, 20])
    vectors = np.concatenate([vectors, -vectors[:1]])
    belief = believed(vectors[:40:5], codes[::5], np.ones(8), pool=make_pool(vectors), n_intents=2, seed=0)
    assert belief.shape == (41, 3) and np.allclose(belief.sum(axis=1), 1, atol=1e-5)
    assert belief[:, 2].max() < 1e-6


def test_nothing_asked_nothing_answered() -> None:
    vectors, _ = groups([5])
    answers = choose_and_ask(vectors, 0, lambda rows: pytest.fail("asked"), seed=0)
    assert answers.rows.dtype == np.int64 and not len(answers.rows) and answers.labels == ()
    assert Answers(np.array([3]), (None,)).coded()[1].tolist() == [NO_INTENT]


def test_wrong_input_says_what_was_expected_and_what_came() -> None:
    vectors, codes = groups([20, 20])
    pool = make_pool(vectors)
    with pytest.raises(BadInput, match="expected 0 labels or more, came -1"):
        choose_and_ask(pool, -1, Teacher(codes), seed=0)
    with pytest.raises(BadInput, match=r"expected 3 labels from the teacher.*came 1.*Answer None"):
        choose_and_ask(pool, 10, lambda rows: ["one"], seed=0)
    with pytest.raises(BadInput, match=r"one label per row asked, came 2 rows and 1 labels"):
        next_round(pool, np.array([0, 1]), np.array([0]), 5, seed=0)
    with pytest.raises(BadInput, match=r"asked rows in 0\.\.39, came 0\.\.40.*same pool"):
        next_round(pool, np.array([0, 40]), np.array([0, 1]), 5, seed=0)
    with pytest.raises(BadInput, match=r"shape \(n, dim\), came shape \(0, 12\).*Materialize embeddings"):
        make_pool(vectors[:0])
    with pytest.raises(BadInput, match=r"at least one row, came 0 vectors.*llm_labels"):
        believed(vectors[:0], codes[:0], np.ones(0), pool=pool, n_intents=2, seed=0)
