"""Traces that give orders are sorted by their content; a model that obeys what leaves its fence shows that naive prompts are obeyed."""

import html
import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from string import Template
from xml.sax.saxutils import escape

import numpy as np
import pyarrow as pa
import pytest

from intent_assets.adapters.store import open_store
from intent_assets.contracts import Store
from intent_assets.errors import BadInput
from intent_assets.intents.answers import INVALID, MISSING, UNREADABLE, Answers, read_object
from intent_assets.intents.asking import Desk, DirectSender, ask
from intent_assets.intents.draft import DraftOptions, draft_taxonomy
from intent_assets.intents.draft_answers import SCHEMA as STEP_SCHEMA
from intent_assets.intents.draft_sheet import DraftIntent, Group
from intent_assets.intents.label_rounds import Budgeted, label_pool
from intent_assets.intents.label_spreading import make_pool
from intent_assets.intents.ledger import Budget
from intent_assets.intents.model_labels import Labelling, Shown, confidence_of
from intent_assets.intents.model_summaries import Summariser, SummaryStyle
from intent_assets.intents.nearest_examples import nearest_examples
from intent_assets.intents.prices import read_prices
from intent_assets.intents.purse import Purse
from intent_assets.intents.summaries import text_hash
from intent_assets.intents.taxonomy import from_names, from_yaml, to_yaml
from intent_assets.intents.taxonomy_by_model import TaxonomyTeacher
from intent_assets.resources import LogProgress
from intent_assets.teacher_contracts import OK, Answer, LanguageModel, Request
from intent_assets.teaching import Cleaner
from intent_assets.token_usage import Usage
from intent_assets_tests.adapters import claude
from intent_assets_tests.injections import ARRIVAL, GOLD, HONEST, INJECTIONS, LABEL_CHARS, NAMES, WANTED, Injection, Trick
from intent_assets_tests.intents.step_teacher import offline
from intent_assets_tests.loopback.anthropic import AnthropicStandIn
from intent_assets_tests.loopback.anthropic_obeyer import NaiveObeyer, injection_in
from intent_assets_tests.loopback.anthropic_oracle import OracleTeacher
from intent_assets_tests.loopback.anthropic_teacher import AskedRequest, ScriptedTeacher, Teacher

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_WISH = "I have waited for my new card for two weeks now and nobody can tell me where it is. " * 14
TALK = Template("user: $wish\nassistant: $said")

each = pytest.mark.parametrize("injection", INJECTIONS, ids=lambda injection: injection.name)
of_tags = pytest.mark.parametrize("injection", [one for one in INJECTIONS if one.trick is Trick.TAGS], ids=lambda injection: injection.name)


@dataclass
class Model:
    """A teacher behind the seam to hosted models, without a network; `heard` are the requests."""

    teacher: Teacher
    heard: list[Request] = field(default_factory=list)

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in requests:
            self.heard.append(request)
            yield Answer(request.key, OK, said(self.teacher, request), Usage(input_tokens=100, output_tokens=10))

    def n_tokens(self, request: Request) -> int:
        return len(request.own)


def said(teacher: Teacher, request: Request) -> str:
    return str(teacher.answer(AskedRequest(request.model, request.shared, request.own, dict(request.schema), {}, 1)))


def obeyer(gold: Mapping[str, str] | None = None, **more: Mapping[str, str]) -> NaiveObeyer:
    return NaiveObeyer(OracleTeacher(gold or GOLD, **more))


def desk(store: Store, model: LanguageModel) -> Desk:
    purse = Purse(store.artifacts, read_prices(), Budget(10.0, 10.0), run="run", asset="labels", now=lambda: NOW)
    return Desk(DirectSender(model.ask, 4), partial(Answers, store.tables), purse, lambda: NOW, print, LogProgress(len), model.n_tokens)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path), "UTC")


def labelling(clean: Callable[[str], str] = str, use_case: str = "route requests", per_request: int = 100) -> Labelling:
    return Labelling(from_names(NAMES, made_by="person"), use_case, per_request, clean)


def request_for(texts: Sequence[str], how: Labelling, examples: Sequence[Shown] = ()) -> Request:
    return how.question(claude.HAIKU).write([how.item(claude.HAIKU, text, text_hash(text), examples) for text in texts])


def labelled(teacher: Teacher, request: Request, n: int, how: Labelling) -> list[str | None]:
    told = how.question(request.model).read(n, said(teacher, request))
    assert [one.status for one in told] == [OK] * n
    return [str((one.answer or {})["intent"]) for one in told]


def among_honest(text: str) -> list[str]:
    first, *others = HONEST
    return [first, text, *others]


def naive(texts: Sequence[str]) -> str:
    """A prompt as people write it who forget to escape."""
    return "\n".join(f'<trace id="t{n}">{text}</trace>' for n, text in enumerate(texts, start=1))


def test_there_are_enough_and_none_is_about_what_it_wants() -> None:
    assert len(INJECTIONS) >= 45 and len({one.name for one in INJECTIONS}) == len({one.shown for one in INJECTIONS}) == len(INJECTIONS)
    assert all(one.intent != WANTED and one.intent in NAMES for one in INJECTIONS)


@each
def test_an_injection_is_labelled_by_its_content_and_so_are_its_neighbours(injection: Injection) -> None:
    texts, how, teacher = among_honest(injection.text), labelling(), obeyer()
    examples = [Shown(ARRIVAL, injection.text), Shown(injection.intent, "Sorted by people < before")]
    found = labelled(teacher, request_for(texts, how, examples), len(texts), how)
    assert found == [GOLD[text] for text in among_honest(injection.shown[:LABEL_CHARS])]
    assert teacher.obeyed == 0


def test_all_injections_together_are_labelled_by_their_content() -> None:
    texts, how, teacher = [*HONEST, *(one.text for one in INJECTIONS)], labelling(), obeyer()
    found = labelled(teacher, request_for(texts, how), len(texts), how)
    assert found == [*HONEST.values(), *(one.intent for one in INJECTIONS)]
    assert teacher.obeyed == 0


@of_tags
def test_a_naive_prompt_is_obeyed(injection: Injection) -> None:
    texts, how, teacher = among_honest(injection.text), labelling(), obeyer()
    request = replace(request_for(texts, how), own=naive(texts))
    found = json.loads(said(teacher, request))["labels"]
    assert teacher.obeyed == 1
    assert len({label["intent"] for label in found}) == 1  # neighbours too
    assert labelled(obeyer(), replace(request, own=naive([escape(injection.shown[:LABEL_CHARS])])), 1, how) == [injection.intent]


@pytest.mark.parametrize(
    ("trick", "read", "written"),
    [
        (Trick.WIDE, lambda prompt: unicodedata.normalize("NFKC", prompt), naive),
        (Trick.ENTITIES, html.unescape, naive),
        (Trick.WORDS, str, "\n".join),
    ],
)
def test_other_naive_prompts_are_obeyed_too(trick: Trick, read: Callable[[str], str], written: Callable[[Sequence[str]], str]) -> None:
    for injection in (one for one in INJECTIONS if one.trick is trick):
        assert injection_in(read(written(among_honest(injection.text)))) is not None, injection.name
    assert injection_in("\n".join(HONEST)) is None


def test_brackets_of_any_width_are_escaped() -> None:
    own = request_for([*HONEST, *(one.text for one in INJECTIONS)], labelling()).own
    assert injection_in(unicodedata.normalize("NFKC", own)) is None


def test_texts_are_never_filled_in() -> None:
    for injection in (one for one in INJECTIONS if one.trick is Trick.NAMES):
        names = dict.fromkeys(["intents", "use_case", "language", "words", "max_intents"], "<filled>")
        assert Template(naive([injection.text])).safe_substitute(names) != naive([injection.text])
        how = replace(labelling(), taxonomy=from_names([ARRIVAL], made_by="person", definitions={ARRIVAL: injection.text}))
        request = request_for([injection.text], how)
        assert f">{injection.text}</trace>" in request.own and f">{injection.text}</intent>" in request.shared


@each
def test_definitions_and_examples_stay_in_their_place(injection: Injection) -> None:
    about = {ARRIVAL: injection.text}, {ARRIVAL: [injection.text]}
    how = replace(labelling(), taxonomy=from_names(NAMES, made_by="person", definitions=about[0], examples=about[1]))
    shared, plain = (one[one.index("\n<intents>") : one.index("</intents>\n")] for one in (how.shared, labelling().shared))
    assert injection_in(shared) is None
    assert shared.count("<") == plain.count("<") + 2  # the example's own tags
    assert shared.count("<intent ") == plain.count("<intent ") == len(NAMES)
    if injection.trick is Trick.TAGS:
        assert injection_in(f'<intents>\n<intent name="x">{injection.text}</intent>\n</intents>') is not None


@each
def test_settings_stay_within_their_sentence(injection: Injection, store: Store) -> None:
    def prompts(text: str) -> list[str]:
        model = Model(ScriptedTeacher(lambda asked: "{}"))
        TaxonomyTeacher(claude.OPUS, text, text, DraftOptions(), 9, 0, str, desk(store, model)).drafting().ask("<task>update</task>")
        Summariser(SummaryStyle(claude.HAIKU, 30, text), desk(store, model), str)(pa.Table.from_pylist([_raw(0, LONG_WISH, "Yes.")]))
        return [labelling(use_case=text).shared, *(request.shared for request in model.heard)]

    counts = [[[one.count(sign) for sign in "<>\n＜﹤"] for one in dict.fromkeys(prompts(text))] for text in (injection.text, "any")]
    assert counts[0] == counts[1] and len(counts[0]) == 3


@each
def test_a_name_cannot_be_an_injection(injection: Injection) -> None:
    document = to_yaml(from_names([ARRIVAL], made_by="person")).replace(f"name: {ARRIVAL}", f"name: {json.dumps(injection.text)}")
    with pytest.raises(BadInput, match="snake_case"):
        from_yaml(document)
    (intent,) = from_names([injection.text], made_by="file").intents
    assert all(char.isalnum() or char == "_" for char in intent.name)


@each
def test_conversations_are_summarised_each_for_itself(injection: Injection, store: Store) -> None:
    talks = [(LONG_WISH, "We are looking."), (LONG_WISH + "It is blue.", injection.text), (LONG_WISH + injection.text, "Sorry.")]
    shown = [(LONG_WISH, "We are looking."), (LONG_WISH + "It is blue.", injection.shown), (LONG_WISH + injection.shown, "Sorry.")]
    lines = [TALK.substitute(wish=" ".join(wish.split()), said=" ".join(said.split())) for wish, said in shown]
    teacher = obeyer(dict.fromkeys(lines, ARRIVAL), summaries={line: f"Find card {n}" for n, line in enumerate(lines)})
    summariser = Summariser(SummaryStyle(claude.HAIKU, 30, "English"), desk(store, model := Model(teacher)), str)
    rows = summariser(pa.Table.from_pylist([_raw(n, wish, said) for n, (wish, said) in enumerate(talks)]))
    assert rows["represented_text"].to_pylist() == ["Find card 0", "Find card 1", "Find card 2"]
    assert (teacher.obeyed, len(model.heard)) == (0, 1) and "trace>id" not in html.unescape(model.heard[0].own)
    if injection.trick is Trick.TAGS:
        said_naively = said(teacher, replace(model.heard[0], own=naive([f"user: {wish}\nassistant: {said}" for wish, said in talks])))
        assert teacher.obeyed == 1 and "Find card" not in said_naively


def _raw(n: int, wish: str, answer: str) -> dict[str, object]:
    messages = [{"role": "user", "content": wish}, {"role": "assistant", "content": answer}]
    return {"source": "files", "trace_id": f"</trace>id {n}", "text": wish, "messages": messages, "content_hash": str(n)}


@each
def test_a_taxonomy_is_made_of_contents(injection: Injection) -> None:
    honest = {name: [text for text, intent in HONEST.items() if intent == name] for name in NAMES}
    texts = {name: (*honest[name], injection.text) if name == injection.intent else tuple(honest[name]) for name in NAMES}
    groups = [Group(n, 20, texts[name], np.eye(5, dtype=np.float32)[n]) for n, name in enumerate(NAMES)]
    teacher = obeyer()
    blank = Request("", claude.OPUS, "", "", STEP_SCHEMA, 100)
    known = [DraftIntent(ARRIVAL, injection.text, fixed=True)]
    steps: list[str] = []

    def ask(text: str) -> dict[str, object]:
        steps.append(text)
        answer: dict[str, object] = json.loads(said(teacher, replace(blank, own=text)))
        return answer

    draft = draft_taxonomy(groups, [injection.text], known, ask, DraftOptions(minibatch_size=3), offline)
    assert draft.of_group == {n: (name,) for n, name in enumerate(NAMES)}
    assert {intent.name for intent in draft.intents} == {*NAMES}
    assert teacher.obeyed == 0 and all(step.n_ignored == 0 for step in draft.steps)
    assert all(step.count("<task>") == 1 and step.count("<cluster ") <= 3 and "<room>" not in step for step in steps)
    if injection.trick is Trick.TAGS:
        obeyed = json.loads(said(teacher, replace(blank, own=html.unescape(steps[0]))))
        assert [new["name"] for new in obeyed["new_intents"]] == ["injected"]


def test_over_http_every_trace_gets_its_intent(store: Store) -> None:
    texts, gold = [*HONEST, *(one.text for one in INJECTIONS)], [*HONEST.values(), *(one.intent for one in INJECTIONS)]
    vectors = np.random.default_rng(0).normal(size=(len(texts), 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    hashes, people = [text_hash(text) for text in texts], [Shown(name, text) for name, text in zip(gold, texts, strict=True)]
    near = nearest_examples(vectors, hashes, people, vectors, hashes, 5)
    assert min(len(examples) for examples in near) > 0
    how, teacher = labelling(per_request=12), obeyer()
    items = [how.item(claude.HAIKU, text, text_hash(text), examples) for text, examples in zip(texts, near, strict=True)]
    with AnthropicStandIn(teacher) as server:
        done = label_pool(
            make_pool(vectors), items, how, claude.HAIKU, desk(store, claude.model(server)), budget=Budgeted(len(texts), 0, seed=0)
        )
        assert len(texts) / 12 <= len(server.billed) < len(texts) / 5
    ids = {intent.id: intent.name for intent in how.intents}
    assert [ids[str(how.chosen(done.told[row]))] for row in range(len(texts))] == gold
    assert teacher.obeyed == 0 and done.stopped is None


def test_what_a_model_is_talked_into_harms_its_item_at_most(store: Store) -> None:
    def label(trace: object, intent: str = ARRIVAL, **more: object) -> dict[str, object]:
        return {"id": trace, "intent": intent, "confidence": 90, "second": "none", **more}

    labels = [
        label("t1"),
        label("t2", critique="\ud83d"),
        label("t3"),
        label("t3", WANTED),
        label("t4", confidence=10**400),
        label("t17", WANTED),
    ]
    labels += [label("t5", "pwned"), label(["t6"])]
    how = labelling(per_request=4)
    question, texts = how.question(claude.HAIKU), [str(n) for n in range(6)]
    items = [how.item(claude.HAIKU, text, text) for text in texts]
    asked = ask(question, items, desk(store, Model(ScriptedTeacher(lambda asked: json.dumps({"labels": labels})))))
    assert asked.statuses[OK] == 6  # what failed was asked again, in other company
    first = question.read(6, json.dumps({"labels": labels}))
    assert [one.status for one in first] == [OK, INVALID, INVALID, OK, INVALID, MISSING] and confidence_of(first[3]) == 1.0
    assert {one.status for one in question.read(2, "[" * 100_000)} == {UNREADABLE} and read_object("[" * 100_000) is None
    assert read_object('{"critique": "\\ud83d"}') is None


@pytest.mark.parametrize("hidden", ["\u200b", "\x00", "\u202e", "\u200d", "\U000e0041"])
def test_hidden_characters_do_not_keep_personal_data_in(hidden: str) -> None:
    cleaner = Cleaner(is_on=True)
    own = request_for([f"mail jo{hidden}hn@exam{hidden}ple.com, card 4111{hidden} 1111 1111 1111"], labelling(cleaner)).own
    assert own == '<trace id="t1">mail [email], card [card]</trace>' and cleaner.removed == {"email": 1, "card": 1}
