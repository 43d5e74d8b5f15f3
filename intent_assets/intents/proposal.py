"""What a relearn proposes, and what every way of making a proposal needs: fresh ids and how central a trace is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from intent_assets.contracts import Vectors
from intent_assets.intents.draft import Draft
from intent_assets.intents.naming import centre_rows
from intent_assets.intents.taxonomy import Taxonomy, born_id

# Below this share of common traces an intent is another than before, though it keeps its id: it gets fresh examples.
SAME_MEANING = 0.8


@dataclass(frozen=True)
class Proposal:
    """The next taxonomy (not stored yet).

    Attributes:
        taxonomy: all intents, those of before included.
        intents: (n,) intent id of each trace, None where it has none.
        strength: float64 (n,), how central a trace is to its intent, 0 to 1; 0 without one.
        draft: what a hosted teacher made of the groups; None where the offline teacher named them.
    """

    taxonomy: Taxonomy
    intents: list[str | None]
    strength: npt.NDArray[np.float64]
    draft: Draft | None = None


def free_id(name: str, born_in: int, given: Collection[str]) -> str:
    """An id no intent has; the version of birth salts it, so that a name born again later is another intent."""
    attempt = 0
    while (intent_id := born_id(name, f"{born_in}.{attempt}")) in given:
        attempt += 1
    return intent_id


def strength_of(vectors: Vectors, ids: Sequence[str | None]) -> npt.NDArray[np.float64]:
    """Cosine of each trace to the centre of its intent: float64 (n,), 0 to 1; 0 for traces without one."""
    number = {intent_id: code for code, intent_id in enumerate(sorted({i for i in ids if i is not None}))}
    codes = np.array([-1 if i is None else number[i] for i in ids], np.int64)
    strength = np.zeros(len(ids))
    if number:
        centres = centre_rows(vectors, codes, range(len(number)))
        strength = np.where(codes >= 0, np.clip(np.einsum("ij,ij->i", vectors, centres[codes]), 0.0, 1.0), 0.0)
    return strength
