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
    assert [n.name for n in found] == ["cancel_hotel_booking", "change_hotel_booking", "top_up_pending", "reset_password"]
    assert not any(city.lower() in n.name for n in found for city in CITIES)


def test_definitions_and_examples() -> None:
    for name in name_clusters(*traffic()):
        assert name.definition.startswith(f"Messages such as “{name.examples[0]}”; typical words: ") and name.definition.endswith(".")
        assert 3 <= len(name.examples[0].split()) <= 12
        assert 1 <= len(name.examples) <= 5
        assert len(set(name.examples)) == len(name.examples)
        assert set(name.examples) <= set(traffic()[0])


def names_of(*clusters: list[str]) -> list[str]:
    """The names of clusters given as texts."""
    texts = [text for cluster in clusters for text in cluster]
    labels = np.repeat(np.arange(len(clusters)), [len(cluster) for cluster in clusters])
    vectors = np.eye(8)[labels] + 0.1 * np.random.default_rng(0).normal(size=(len(texts), 8))
    return [name.name for name in name_clusters(texts, labels, unit(vectors))]


def filled(*messages: str, n: int = 12) -> list[str]:
    return [messages[i % len(messages)].format(CITIES[i % 3]) for i in range(n)]


def test_slot_values_do_not_name_a_cluster_that_has_other_words() -> None:
    upper = filled("I need a train to {}", "train tickets to {} please", "buy train tickets from {}")
    lower = [text.lower() for text in upper]
    other = filled("Cancel my hotel in {}", "please cancel the hotel", "cancel a hotel near {}")
    assert names_of(upper, other) == ["train_tickets", "cancel_hotel"]
    assert names_of(lower, [text.lower() for text in other]) == ["train_tickets", "cancel_hotel"]


def test_slot_values_name_a_cluster_where_nothing_else_does() -> None:
    assert (
        names_of(["weather in Paris", "I love Paris", "so Paris it is", "to Paris!"] * 4, filled("Cancel my hotel"))[0]
        == "weather_in_paris"
    )


def test_what_half_a_cluster_is_about_is_no_slot_value() -> None:
    found = names_of(filled("Can I top up with Google Pay?", "does Google Pay work", "I use Google Pay"), filled("Cancel my hotel"))
    assert found[0] == "google_pay"


def test_brand_words_of_the_application_are_left_out() -> None:
    brand = ["I want a refund, Kestrel", "refund from Kestrel please", "when does Kestrel refund me?", "get my money back from Kestrel"]
    (name, _) = names_of(brand * 3, ["cancel my Kestrel hotel", "hotel on Kestrel: cancel", "please cancel the hotel"] * 4)
    assert "kestrel" not in name and "refund" in name


def test_names_keep_the_order_in_which_people_write_the_words() -> None:
    parking = ["airport parking price", "book airport parking", "parking at the airport", "extend my airport parking"]
    name = ["the name on my ticket is wrong", "wrong name on the ticket!", "name on ticket", "fix the name on my ticket please"]
    assert names_of(parking * 3, name * 3)[0] == "airport_parking"
    assert "name_on_ticket" in names_of(parking * 3, name * 3)[1]


def test_a_phrase_of_three_is_kept_whole() -> None:
    deposit = ["my rental car deposit", "when is the rental car deposit paid back", "deposit for a car", "rental car deposit too high"]
    car = ["extend the rental car", "book a rental car", "rental car with four seats", "rental car please"]
    assert names_of(deposit * 3, car * 3)[0] == "rental_car_deposit"


def test_words_that_never_stand_together_make_no_name() -> None:
    texts = ["refund it now please because the strike was announced so late", "strike. and I waited for a refund", "refund, strike"] * 4
    assert names_of(texts, filled("Cancel my hotel"))[0] in ("refund", "strike")


def test_clusters_of_greetings_and_of_other_languages() -> None:
    german = [
        "Wo ist mein Gepäck?",
        "Ich möchte eine Rechnung",
        "Kann ich den Sitz ändern?",
        "Das Wetter ist schön",
        "Wie lange dauert es?",
    ]
    found = names_of(["hi", "hello there", "hey", "hello :)"] * 3, german * 3, filled("Cancel my hotel"), filled("reset my password"))
    assert found == ["hello", "messages_in_german", "cancel_hotel", "reset_password"]


def test_a_negated_word_reads_well() -> None:
    assert names_of(["My card doesn't work", "card not working", "the card isn't working", "card won't work"] * 4)[0] == "card_not_working"


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
    assert is_name(name.name) and name.definition.startswith("Messages ") and len(name.definition) <= 160
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
