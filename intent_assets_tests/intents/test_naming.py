"""Names of clusters: readable, apart from each other, and safe on any text."""

import re

import numpy as np
import pytest

from intent_assets.contracts import Vectors
from intent_assets.intents.intent_names import is_name, name_key
from intent_assets.intents.naming import ClusterName, name_clusters, shorten
from intent_assets.intents.words import stem, words_of

TEMPLATES = {
    "cancel": ["How do I cancel my hotel booking?", "please cancel my hotel booking", "I want to cancel a hotel booking in {}"],
    "change": ["Change my hotel booking to {}", "can I change the hotel booking", "I need to change my hotel booking please"],
    "top up": ["My top up is pending", "why is the top-up still pending?", "top up pending since {}", "Pending top up on my card"],
    "password": ["I forgot my password", "reset password", "How can I reset my password?", "please reset the password of {}"],
}
CITIES = ["Paris", "Rome", "Berlin", "Madrid", "London", "Oslo"]


def traffic(n_each: int = 24) -> tuple[list[str], np.ndarray, Vectors]:
    random = np.random.default_rng(0)
    texts, labels, vectors = [], [], []
    for label, messages in enumerate(TEMPLATES.values()):
        for i in range(n_each):
            texts.append(messages[i % len(messages)].format(CITIES[i % len(CITIES)]))
            labels.append(label)
            vectors.append(np.eye(8)[label] + 0.1 * random.normal(size=8))
    return texts, np.array(labels), unit(np.array(vectors))


def unit(vectors: np.ndarray) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def named(texts: list[str], n_clusters: int = 1) -> list[ClusterName]:
    labels = np.arange(len(texts)) % n_clusters
    return name_clusters(texts, labels, unit(np.random.default_rng(0).normal(size=(len(texts), 8))))


def test_names_say_what_people_want_in_their_word_order() -> None:
    found = name_clusters(*traffic())
    assert [n.name for n in found][2:] == ["top_up_pending", "reset_password"]
    assert found[0].name.startswith("cancel") and found[1].name.startswith("change")
    assert not any(city.lower() in n.name for n in found for city in CITIES)


def test_definitions_and_examples() -> None:
    for name in name_clusters(*traffic()):
        assert name.definition.startswith("Users who ") and re.search(r"[.?!]”?$", name.definition)
        assert 1 <= len(name.examples) <= 5
        assert len(set(name.examples)) == len(name.examples)
        assert set(name.examples) <= set(traffic()[0])


def test_no_two_names_are_near_same_nor_near_taken_ones() -> None:
    texts, labels, vectors = traffic()
    halves = labels * 2 + np.arange(len(labels)) % 2
    names = [n.name for n in name_clusters(texts, halves, vectors, taken=["reset_password", "cancel_hotel"])]
    assert len({name_key(n) for n in [*names, "reset_password"]}) == len(names) + 1
    assert all(is_name(n) for n in names)


def test_only_wanted_clusters_are_named() -> None:
    assert [n.cluster for n in name_clusters(*traffic(), wanted={3, 1})] == [1, 3]
    texts, labels, vectors = traffic()
    assert name_clusters(texts, np.full_like(labels, -1), vectors) == []


@pytest.mark.parametrize(
    "texts",
    [
        ["hi"],
        ["hello", "hi", "hey", "hello there"],
        ["👍", "👍👍"],
        ["🤷‍♀️"],
        ["asdf qwer zxcv", "lkjh poiu"],
        ["..."],
        [""],
        ["1234 5678"],
        ["Wie kann ich mein Passwort zurücksetzen?", "Ich möchte mein Passwort zurücksetzen", "passwort zurücksetzen bitte"],
        ["残高を確認したい", "残高はいくらですか"],
        ["refund my order " * 3_000, "refund the order"],
        ["the of and", "is it so"],
    ],
)
def test_any_texts_get_a_sound_name(texts: list[str]) -> None:
    (name,) = named(texts)
    assert is_name(name.name) and name.definition.startswith("Users who")
    assert all(len(e) <= 200 for e in name.examples)


def test_wordless_clusters_get_different_names() -> None:
    found = named(["👍", "...", "👍", "!!", "👍", "??"], n_clusters=3)
    assert len({n.name for n in found}) == 3


def test_german_names_leave_out_small_words() -> None:
    (name,) = named(["Wie kann ich mein Passwort zurücksetzen?", "Ich möchte mein Passwort zurücksetzen", "passwort zurücksetzen bitte"])
    assert name.name == "passwort_zurucksetzen"


def test_names_hold_no_addresses_or_numbers_and_examples_are_redacted() -> None:
    texts = ["mail invoice to bob@example.com 4111111111111111", "mail the invoice to bob@example.com", "mail invoice bob@example.com"]
    vectors = unit(np.random.default_rng(0).normal(size=(3, 8)))
    (name,) = name_clusters(texts, np.zeros(3, np.int64), vectors, redact=lambda t: t.replace("bob@example.com", "[EMAIL]"))
    assert "bob" not in name.name and not re.search(r"\d", name.name)
    assert "bob@" not in " ".join(name.examples) + name.definition


def test_words() -> None:
    assert words_of("My card isn't working at all").surfaces == ("card", "not working")
    assert words_of("Please log in and top-up my card").surfaces == ("log in", "top up", "card")
    assert words_of("refund. Cancel").stems == ("refund", "", "cancel")
    assert stem("charges") == stem("charged") == stem("charge")
    assert shorten("word " * 100, 50).endswith("…") and len(shorten("x" * 500)) == 200
