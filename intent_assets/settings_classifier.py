"""Settings of the classifier: what it may learn from, when it abstains, and when it becomes the release."""

from typing import Literal

from pydantic import BaseModel, Field


class ClassifierSettings(BaseModel):
    """The part of Settings that training, tagging and releasing read."""

    min_precision: float = Field(
        0.7, ge=0, le=1, description="precision on held-out labels that the abstention threshold aims at", examples=["0.9"]
    )
    abstain_share: float | None = Field(
        None, ge=0, lt=1, description="share of the traffic to abstain on; chooses the threshold in place of a precision", examples=["0.1"]
    )
    min_accuracy: float = Field(
        0.5, ge=0, le=1, description="held-out accuracy below which a new classifier is not released", examples=["0.5"]
    )
    suspects: Literal["drop", "down-weight", "ask", "keep"] = Field(
        "drop",
        description="labels that seem wrong: `drop` or `down-weight` them in training, `ask` the hosted teacher again, or `keep` them",
        examples=["ask"],
    )
    promote_tolerance: float = Field(
        0.01, ge=0, le=1, description="accuracy by which a new classifier may be worse than the release that it replaces", examples=["0.02"]
    )
    reuse_similarity: float = Field(
        0.98,
        ge=0,
        le=1,
        description="cosine from which a trace takes the label of a labelled one (`tag_source=reuse`); 1 is equal texts only",
        examples=["0.99"],
    )
    min_per_intent: int = Field(2, ge=1, description="data sets: examples below which an intent is left out", examples=["10"])
    max_per_intent: int = Field(600, ge=1, description="data sets: most examples of an intent", examples=["600"])
