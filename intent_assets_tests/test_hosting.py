"""A hosted classifier put together by the settings, from rows to decisions, in a store. Against the stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput, StopRun
from intent_assets.hosting import HostedFit, Hosting, make_hosting, terms_of
from intent_assets.intents.balanced import SPLITS, LabelledText, balance, named, to_jsonl
from intent_assets.intents.hosted_classifier import HostedRows
from intent_assets.intents.hosted_files import save_hosted
from intent_assets.intents.thresholds import Aims
from intent_assets.settings import read_settings
from intent_assets_tests.hosted import ABOUT, EMBEDDER, IDS, TEST, TRAIN, VALIDATION, WANDB_KEY, labelled, rows
from intent_assets_tests.loopback.mistral import MistralStandIn

MAIL = "please refund my order, I am ada.lovelace@example.com"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MistralStandIn]:
    with MistralStandIn() as running:
        for name, value in {**running.env, "WANDB_API_KEY": WANDB_KEY}.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return open_store(str(tmp_path), "UTC").artifacts


def hosting(server: MistralStandIn, **settings: object) -> Hosting:
    chosen = read_settings({}, classifier="mistral", mistral_poll_s=60, **settings)
    made = make_hosting(chosen, sleep=server.advance, clock=server.state.now)
    assert made is not None
    return made


def fit(one: Hosting, artifacts: ArtifactStore, train: HostedRows | None = None, said: list[str] | None = None) -> HostedFit:
    parts = (train or labelled(TRAIN), labelled(VALIDATION), labelled(TEST))
    return one.fit(artifacts, *parts, about=ABOUT, aims=Aims(), log=(said if said is not None else []).append)


def test_the_local_classifier_needs_nothing_of_this() -> None:
    assert make_hosting(read_settings({})) is None


def test_from_rows_to_decisions_and_back_from_the_store(server: MistralStandIn, artifacts: ArtifactStore) -> None:
    one = hosting(server)
    made = fit(one, artifacts)
    assert made.trained is not None and made.classifier.evaluation is not None and made.classifier.evaluation.accuracy > 0.9
    assert made.metadata["cost_usd_paid"] == 4.2 and made.metadata["n_checkpoints"] == 5
    n_classified = server.n_classified
    back = hosting(server).load(artifacts, save_hosted(made.classifier), print)
    texts = [text for text, _ in TEST]
    found = back.predict(texts, EMBEDDER.encode(texts))
    assert found.intent_ids == made.classifier.predict(texts, EMBEDDER.encode(texts)).intent_ids
    assert server.n_classified == n_classified, "the texts of the evaluation are known"
    again = fit(hosting(server), artifacts)
    assert again.metadata["cost_usd_paid"] == 0.0 and server.n_starts == 1


def test_a_model_that_exists_is_calibrated_and_no_job_is_made(server: MistralStandIn, artifacts: ArtifactStore, tmp_path: Path) -> None:
    existing = fit(hosting(server), artifacts).classifier.hosted_model_id
    routes = {route for route, _ in server.state.served}
    assert "POST /v1/fine_tuning/jobs" in routes
    server.state.served.clear()
    made = fit(hosting(server, mistral_model=existing), open_store(str(tmp_path / "other"), "UTC").artifacts)
    assert {route for route, _ in server.state.served} == {"POST /v1/classifications"}
    assert made.trained is None and made.metadata == {"hosted_model": existing}
    assert made.classifier.evaluation is not None and made.classifier.evaluation.accuracy > 0.9


def test_personal_data_is_not_sent_unless_told_so(server: MistralStandIn, artifacts: ArtifactStore) -> None:
    train = labelled([*TRAIN, (MAIL, "refund")])
    made = fit(hosting(server), artifacts, train)
    made.classifier.predict([MAIL], EMBEDDER.encode([MAIL]))
    sent = b"".join(server.state.contents.values()) + "".join(map("".join, server.state.classified)).encode()
    assert b"ada.lovelace" not in sent and b"please refund my order" in sent
    fit(hosting(server, redact=False), artifacts, train)
    assert any(b"ada.lovelace" in content for content in server.state.contents.values())


def test_a_text_is_in_one_part_only(server: MistralStandIn, artifacts: ArtifactStore) -> None:
    said: list[str] = []
    train = labelled([*TRAIN, *VALIDATION[:3], *TEST[:2]])
    made = fit(hosting(server), artifacts, train, said)
    assert "Left out 5 rows" in said[0]
    assert made.classifier.evaluation is not None and made.classifier.evaluation.n == len(TEST) - 2


def test_balanced_data_sets_go_in_as_they_are(server: MistralStandIn, artifacts: ArtifactStore) -> None:
    labels = [LabelledText(text, IDS[name]) for text, name in rows(40, 5)]
    sets = balance(labels, min_per_intent=10, max_per_intent=30, seed=0)
    texts = [[text for text, _ in sets.split(name)] for name in SPLITS]
    parts = [
        HostedRows(said, EMBEDDER.encode(said), [intent for _, intent in sets.split(name)])
        for name, said in zip(SPLITS, texts, strict=True)
    ]
    made = hosting(server).fit(artifacts, *parts, about=ABOUT, aims=Aims(abstain_share=0.1), log=print)
    assert made.classifier.n_rows == len(sets.train)
    assert made.classifier.evaluation is not None and made.classifier.evaluation.n == len(sets.test)
    (train_id,) = (one["file_id"] for one in server.state.bodies[0]["training_files"])
    assert server.state.contents[train_id] == to_jsonl(named(sets.train, ABOUT.names))


def test_the_budget_of_a_run_holds(server: MistralStandIn, artifacts: ArtifactStore) -> None:
    with pytest.raises(StopRun, match=r"INTENT_RUN_BUDGET_USD=4.20"):
        fit(hosting(server, run_budget_usd=4.1), artifacts)
    assert server.n_starts == 0


def test_settings_become_the_order(server: MistralStandIn, artifacts: ArtifactStore, tmp_path: Path) -> None:
    chosen = {"mistral_training_steps": 40, "mistral_learning_rate": 0.00005, "mistral_epochs": 2.5, "wandb_project": "intents"}
    fit(hosting(server, **chosen), artifacts)
    (body,) = server.state.bodies
    assert body["hyperparameters"] == {"training_steps": 40, "learning_rate": 0.00005, "epochs": 2.5}
    assert body["integrations"][0]["project"] == "intents"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and WANDB_KEY.encode() in path.read_bytes()]
    assert terms_of(read_settings({}, mistral_left_job="cancel")).adopt_left is False


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MISTRAL_API_KEY", "", "MISTRAL_API_KEY: expected an API key"),
        ("MISTRAL_API_KEY", "two words", "plain characters"),
        ("MISTRAL_SERVER_URL", "ftp://x", "http:// or https://"),
        ("MISTRAL_SERVER_URL", "https://u:secret@x.example", "without user and password"),
    ],
)
def test_keys_and_addresses_are_checked(
    server: MistralStandIn, monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=expected) as raised:
        hosting(server)
    assert "secret" not in str(raised.value)


def test_the_key_of_weights_and_biases_is_read_only_with_a_project(server: MistralStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    hosting(server)
    with pytest.raises(BadInput, match="INTENT_WANDB_PROJECT is set"):
        hosting(server, wandb_project="intents")


def test_ids_and_names_differ() -> None:
    assert sorted(IDS, key=IDS.__getitem__) != sorted(IDS)
