"""Asks two classifiers about the same labelled texts, so that neither is asked about one that it learned.

What a classifier learned it answered out of fold while it was trained (training_record.py); anything else it is asked now. How the
answers are compared is in champion.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from intent_assets.contracts import Vectors
from intent_assets.intents.champion import Comparison, pair
from intent_assets.intents.stored_classifier import StoredClassifier
from intent_assets.intents.training_record import TrainingRecord

EmbedTexts = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Trained:
    """A stored classifier and what its training left."""

    classifier: StoredClassifier
    record: TrainingRecord


@dataclass(frozen=True)
class Question:
    """A labelled text: as the classifier reads it, and the intent that is right."""

    text: str
    intent_id: str


def compare_on(
    exams: Mapping[str, Mapping[str, Question]],
    champion: Trained,
    challenger: Trained,
    heir: Callable[[str], str | None],
    embed: EmbedTexts,
) -> list[Comparison]:
    """Compare on each exam that both can answer.

    Args:
        exams: labelled texts by their hash, under what people call them, e.g. golden traces.
        champion: the released one.
        challenger: the new one.
        heir: which intent of today an older one is; an answer without one is wrong.
        embed: gives vectors float32 (n, dim) of texts, of the challenger's model.
    """
    found = []
    for on, questions in exams.items():
        theirs = answers(champion, questions, embed if champion.classifier.model_id == challenger.classifier.model_id else None)
        ours = answers(challenger, questions, embed)
        one = pair(on, {key: question.intent_id for key, question in questions.items()}, _today(theirs, heir), _today(ours, heir))
        if one is not None:
            found.append(one)
    return found


def answers(trained: Trained, questions: Mapping[str, Question], embed: EmbedTexts | None) -> dict[str, str]:
    """The best intent of each text that can be asked about, by hash; without `embed` only what was answered in training."""
    learned = trained.record.held_out
    found = {key: learned[key] for key in questions if learned.get(key) is not None}
    fresh = [key for key in questions if key not in learned] if embed is not None else []
    if embed is not None and fresh:
        texts = [questions[key].text for key in fresh]
        found |= dict(zip(fresh, trained.classifier.predict(texts, embed(texts)).intent_ids, strict=True))
    return {key: intent_id for key, intent_id in found.items() if intent_id is not None}


def _today(said: Mapping[str, str], heir: Callable[[str], str | None]) -> dict[str, str | None]:
    return {key: heir(intent_id) for key, intent_id in said.items()}
