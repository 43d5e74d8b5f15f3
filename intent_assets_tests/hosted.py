"""Rows, clients and runs for the tests of a hosted classifier, and a process that can die at any line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from intent_assets.adapters.embed_hashing import HashingEmbedder
from intent_assets.adapters.mistral_calls import MistralCalls
from intent_assets.adapters.mistral_http import MistralAddress, MistralHttp
from intent_assets.adapters.mistral_jobs import MistralTrainer
from intent_assets.adapters.mistral_model import MistralModel
from intent_assets.adapters.store import open_store
from intent_assets.contracts import ArtifactStore
from intent_assets.intents.balanced import Row
from intent_assets.intents.hosted_classifier import AboutHosted, HostedRows
from intent_assets.intents.hosted_rows import TARGET, training_files
from intent_assets.intents.hosted_training import Surroundings, Terms, Trained, train_hosted
from intent_assets_tests.loopback.mistral import MistralStandIn

WANDB_KEY = "wandb-key-of-forty-characters-0123456789"
SUBJECTS = {
    "card_lost": ("lost my card", "card was stolen", "card is missing"),
    "refund": ("want a refund", "money back please", "refund my order"),
    "opening_hours": ("when do you open", "opening hours today", "are you open on sunday"),
    "speak_to_person": ("talk to a human", "speak to an agent", "connect me with a person"),
}
FRAMES = ("please {}", "hello, {}", "{} now", "can you help, {}", "I think I {}", "{}?", "ok so {} ünïcode")
TERMS = Terms("ministral-3b-latest", {"training_steps": 100, "learning_rate": 0.0001}, budget_usd=5.0, poll_s=60.0)


def rows(n_per_intent: int, seed: int) -> list[Row]:
    """Distinct texts with the names of their intents, in an order of chance."""
    chance = np.random.default_rng(seed)
    made = [
        (f"{chance.choice(FRAMES).format(chance.choice(said))} {seed}-{number}", name)
        for name, said in SUBJECTS.items()
        for number in range(n_per_intent)
    ]
    return [made[place] for place in chance.permutation(len(made))]


FILES = training_files(rows(12, 1), rows(6, 2))


def calls(server: MistralStandIn, **settings: Any) -> MistralCalls:
    return MistralCalls(server.api_key, server.url, **{"sleep": server.advance, "max_retries": 4, "timeout_s": 10.0, **settings})


def trainer(server: MistralStandIn, wandb_key: str | None = None, api_key: str | None = None) -> MistralTrainer:
    """A client whose waits push the server's clock."""
    address = MistralAddress(api_key or server.api_key, server.url)
    http = MistralHttp(address, [wandb_key] if wandb_key else [], sleep=server.advance, tries=3)
    return MistralTrainer(http, calls(server) if api_key is None else MistralCalls(api_key, server.url, max_retries=0), wandb_key)


def model(server: MistralStandIn, model_id: str, **settings: Any) -> MistralModel:
    return MistralModel(calls(server), model_id, target=TARGET, **settings)


@dataclass
class Lab:
    """A store and a server, and runs of the training between them."""

    folder: Path
    server: MistralStandIn
    said: list[str] = field(default_factory=list)
    wandb_key: str | None = None

    @property
    def artifacts(self) -> ArtifactStore:
        return open_store(str(self.folder), "UTC").artifacts

    def train(self, *, life: "Life | None" = None, sleep: Callable[[float], object] | None = None, **changes: Any) -> Trained:
        """One run; `life` is what may end it, `changes` are of the terms."""
        a_trainer: Any = trainer(self.server, self.wandb_key)
        artifacts: Any = self.artifacts
        if life is not None:
            a_trainer, artifacts = Mortal(a_trainer, life), Mortal(artifacts, life)
        around = Surroundings(artifacts, "mistral", sleep or self.server.advance, self.server.state.now, self.said.append)
        return train_hosted(a_trainer, changes.pop("files", FILES), replace(TERMS, **changes), around)

    def holders(self, secret: str) -> list[Path]:
        """Stored files that contain it."""
        return [path for path in self.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


class Dead(BaseException):
    """The process was killed: from here on it does nothing any more."""


@dataclass
class Life:
    """Counts what a process does with the world, and ends before or after the n-th thing."""

    ends_at: int
    is_done_first: bool
    n: int = 0
    is_over: bool = False
    did: list[str] = field(default_factory=list)

    def act(self, what: str, act: Callable[[], Any]) -> Any:
        if self.is_over:
            raise Dead
        self.n += 1
        self.did.append(what)
        if self.n < self.ends_at:
            return act()
        if self.n == self.ends_at and self.is_done_first:
            act()
        self.is_over = True
        raise Dead


class Mortal:
    """Any object, whose methods are acts of a life."""

    def __init__(self, one: object, life: Life) -> None:
        self._one, self._life = one, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._one, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            return self._life.act(name, lambda: found(*arguments, **named))

        return call


def texts_of(of: Sequence[Row]) -> list[str]:
    return [text for text, _ in of]


def names_of(of: Sequence[Row]) -> list[str]:
    return [name for _, name in of]


EMBEDDER = HashingEmbedder()
TRAIN, VALIDATION, TEST = rows(25, 1), rows(15, 2), rows(15, 3)
NAMES = sorted({name for _, name in TRAIN})
IDS = {name: f"int_{code:08x}" for code, name in enumerate(reversed(NAMES))}  # ids sort another way than names
ABOUT = AboutHosted(EMBEDDER.model_id, {intent: name for name, intent in IDS.items()}, ("verbatim",), seed=1)


def labelled(of: list[Row]) -> HostedRows:
    return HostedRows(texts_of(of), EMBEDDER.encode(texts_of(of)), [IDS[name] for name in names_of(of)])
