from intent_assets.intents.backlog import FIRST_RETRY_S, MAX_TRIES, Backlog, backlog_from_json

DAY = "2026-11-01"


def test_a_new_day_is_ready_at_once_and_survives_the_cursor() -> None:
    backlog = Backlog().with_new((DAY,), "7")
    assert backlog.is_ready(DAY, 0.0)
    assert backlog_from_json(backlog.to_json()) == backlog
    assert backlog_from_json(None) == Backlog()


def test_every_try_has_a_new_key_and_waits_longer_until_it_is_left_to_the_sweep() -> None:
    backlog = Backlog().with_new((DAY,), "7")
    keys, now = set(), 0.0
    for number in range(MAX_TRIES):
        assert backlog.is_ready(DAY, now)
        backlog = backlog.tried(DAY, now)
        keys.add(backlog.waiting[DAY].run_key)
        wait = FIRST_RETRY_S * 2**number
        assert not backlog.is_ready(DAY, now + wait - 1)
        now += wait
    assert len(keys) == MAX_TRIES
    assert not backlog.is_ready(DAY, now + 10**9)


def test_something_new_on_a_given_up_day_starts_over() -> None:
    backlog = Backlog().with_new((DAY,), "7")
    for _ in range(MAX_TRIES):
        backlog = backlog.tried(DAY, 0.0)
    again = backlog.with_new((DAY,), "8")
    assert again.is_ready(DAY, 0.0)
    assert again.tried(DAY, 0.0).waiting[DAY].run_key not in {backlog.waiting[DAY].run_key, None}


def test_a_done_day_leaves() -> None:
    assert Backlog().with_new((DAY, "2026-11-02"), "7").without(DAY).waiting.keys() == {"2026-11-02"}


def test_a_day_left_to_the_sweep_holds_nothing_up() -> None:
    backlog = Backlog().with_new((DAY, "2026-11-02"), "7")
    for _ in range(MAX_TRIES):
        backlog = backlog.tried(DAY, 0.0)
    assert backlog.n_hopeful == 1
    assert DAY in backlog.waiting
