"""What every classifier that can be released has, whoever trained it: it predicts, and tells how good it is and where it cuts off."""

from collections.abc import Sequence
from typing import Protocol

from intent_assets.contracts import Predictions, Vectors
from intent_assets.intents.evaluation import Evaluation
from intent_assets.intents.heads import Reals


class StoredClassifier(Protocol):
    """A classifier read from the store. `intent_ids` and `names` (n_intents,) go together; cut-offs are as chosen in training."""

    @property
    def model_id(self) -> str:
        """The embedder whose vectors it reads."""

    @property
    def dim(self) -> int:
        """Length of the vectors it reads."""

    @property
    def intent_ids(self) -> tuple[str, ...]:
        """Permanent ids of the intents it tells apart."""

    @property
    def names(self) -> tuple[str, ...]:
        """Their names when it was trained."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of represented text it was trained on."""

    @property
    def n_rows(self) -> int:
        """Labelled rows it was given."""

    @property
    def min_confidence(self) -> float:
        """Cut-off below which a row abstains as low_confidence."""

    @property
    def min_in_scope(self) -> float:
        """Cut-off below which a row abstains as out_of_scope."""

    @property
    def evaluation(self) -> Evaluation | None:
        """Quality on rows it did not learn; None where there were none."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before trusting it."""

    def with_cut_offs(self, min_confidence: float, min_in_scope: float) -> "StoredClassifier":
        """The same classifier with other cut-offs, e.g. a release's."""

    def predict(self, texts: Sequence[str], vectors: Vectors) -> Predictions:
        """Opinions on n rows: texts (n,) and vectors float32 (n, dim)."""

    def probabilities(self, texts: Sequence[str], vectors: Vectors) -> Reals:
        """Calibrated float64 (n, n_intents), columns in the order of `intent_ids`."""
