"""Names of clusters: readable, apart from each other, and safe on any text."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from intent_assets.contracts import Vectors
from intent_assets.intents.intent_names import is_name, name_key
from intent_assets.intents.naming import ClusterName, name_clusters, shorten
from intent_assets.intents.words import slot_values, stem, words_of

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


HOTEL = ["Cancel my hotel", "please cancel the hotel", "I have to cancel a hotel in {}", "cancel hotel booking", "cancel my hotel near {}"]
TRAINS = [
    "I need a train to {}",
    "train tickets to {} please",
    "buy tickets for the train",
    "next train from {}",
    "train tickets, second class",
]
TRAINS += [
    "when does the train leave {}",
    "night train in {}",
    "cheap train tickets",
    "a train with bikes to {}",
    "are train tickets refundable",
]


def filled(messages: list[str], n: int = 30) -> list[str]:
    return [messages[i % len(messages)].format(CITIES[i // len(messages) % 3]) for i in range(n)]


@pytest.mark.parametrize("written", [str, str.lower])
def test_slot_values_do_not_name_a_cluster_that_has_other_words(written: Callable[[str], str]) -> None:
    found = names_of([written(text) for text in filled(TRAINS)], [written(text) for text in filled(HOTEL)])
    assert found == ["train_tickets", "cancel_hotel"]


def test_slot_values_name_a_cluster_where_nothing_else_does() -> None:
    paris = ["it is Paris", "to Paris!", "in Paris then", "so Paris", "what about Paris", "Paris it is"]
    assert names_of(paris * 4, filled(HOTEL)) == ["paris", "cancel_hotel"]


def test_what_half_a_cluster_is_about_may_name_it() -> None:
    pay = ["top up with Google Pay", "does it take Google Pay", "Google Pay declined", "is Google Pay safe", "add cards to Google Pay"]
    assert names_of(pay * 4, filled(HOTEL))[0] == "google_pay"


def test_brand_words_of_the_application_are_left_out() -> None:
    refund = ["I want a refund, Kestrel", "refund from Kestrel please", "when does Kestrel refund me?", "my Kestrel refund is late"]
    hotel = ["cancel my Kestrel hotel", "hotel on Kestrel: cancel", "please cancel the hotel", "Hello Kestrel, cancel my hotel"]
    found = names_of(refund * 3, hotel * 3)
    assert not any("kestrel" in name for name in found) and "refund" in found[0] and "cancel" in found[1]


def test_names_keep_the_order_in_which_people_write_the_words() -> None:
    parking = [
        "airport parking price",
        "book airport parking",
        "parking at the airport",
        "airport parking for a week",
        "long airport parking",
    ]
    ticket = ["the name on my ticket is wrong", "name on the ticket!", "fix the name on my ticket", "other name on ticket", "name, ticket"]
    assert names_of(parking * 3, ticket * 3) == ["airport_parking", "name_on_ticket"]


def test_a_phrase_of_three_is_kept_whole() -> None:
    deposit = ["my rental car deposit", "when is the rental car deposit due", "deposit too high", "why is there a deposit on a rental car"]
    deposit += [
        "no rental car deposit please",
        "is the deposit refunded",
        "rental car deposit blocked",
        "pay the rental car deposit in cash",
    ]
    assert names_of(deposit * 2, filled(HOTEL), filled(TRAINS))[0] == "rental_car_deposit"


def test_words_that_never_stand_together_make_no_name() -> None:
    texts = ["refund. strike", "strike! And where is my refund?", "strike: refund", "a strike", "strike or no strike", "the strike?"] * 4
    assert names_of(texts, filled(HOTEL))[0] == "strike"


def test_clusters_of_greetings_and_of_other_languages() -> None:
    german = ["Wo ist mein Gepäck?", "Ich möchte eine Rechnung", "Kann ich den Sitz ändern?", "Das Wetter ist schön", "Wo ist das Gate?"]
    german += [
        "Wie lange ist der Flug?",
        "Ich will einen Hund dabei haben",
        "Mein Konto ist gesperrt",
        "Die App ist kaputt",
        "Was ist das?",
    ]
    found = names_of(["hi", "hello there", "hey", "hello :)"] * 3, german, filled(HOTEL), filled(TRAINS))
    assert found == ["hello", "messages_in_german", "cancel_hotel", "train_tickets"]


def test_a_negated_word_reads_well() -> None:
    card = ["My card doesn't work", "card not working", "the card isn't working", "card won't work", "why is the card not working?"]
    assert names_of(card * 4, filled(HOTEL))[0] == "card_not_working"


def test_slot_values_are_told_by_capitals_and_by_their_frames() -> None:
    spelled = [words_of(f"please fly me to {city}") for city in CITIES] + [words_of("please FLY me"), words_of("mein Hund und das Wetter")]
    assert slot_values(spelled) == {stem(city.lower()) for city in CITIES}
    framed = ["flights to oslo", "in oslo", "from oslo", "to cancel", "to cancel now", "from my account", "in my account", "the account"]
    assert slot_values(map(words_of, framed * 3)) == {"oslo"}


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
    assert stem("delayed") == stem("delays") == stem("delay")
    assert shorten("word " * 100, 50).endswith("…") and len(shorten("x" * 500)) == 200
