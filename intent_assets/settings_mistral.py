"""Settings of the classifier that Mistral trains and hosts: which model, how it is trained, how it is asked, what it may cost."""

from typing import Literal

from pydantic import BaseModel, Field


class MistralSettings(BaseModel):
    """The switch between the two classifiers, and the part of Settings that only `INTENT_CLASSIFIER=mistral` reads."""

    classifier: Literal["local", "mistral"] = Field(
        "local",
        description="mistral: what classifies all traffic: `local`, trained here, or `mistral`, trained and hosted there",
        examples=["mistral"],
    )
    mistral_model: str | None = Field(
        None,
        pattern=r"^\S+$",
        description="mistral: id of a classifier that exists already; no job is made then, nothing is paid for training",
        examples=["ft:classifier:ministral-3b-latest:0a1b2c3d:20260401:4e5f6a7b"],
    )
    mistral_base_model: str = Field(
        "ministral-3b-latest", pattern=r"^\S+$", description="mistral: model that is trained further", examples=["ministral-3b-latest"]
    )
    mistral_training_steps: int | None = Field(
        None, ge=1, description="mistral: training steps; unset, the vendor chooses, as with the next five", examples=["200"]
    )
    mistral_learning_rate: float | None = Field(None, gt=0, le=1, description="mistral: learning rate", examples=["0.00005"])
    mistral_weight_decay: float | None = Field(None, ge=0, le=1, description="mistral: weight decay", examples=["0.1"])
    mistral_warmup_fraction: float | None = Field(
        None, ge=0, le=1, description="mistral: share of the steps in which the learning rate rises", examples=["0.05"]
    )
    mistral_epochs: float | None = Field(None, gt=0, description="mistral: passes over the training rows", examples=["3"])
    mistral_seq_len: int | None = Field(None, ge=100, description="mistral: most tokens of a training row", examples=["2048"])
    mistral_poll_s: float = Field(10.0, gt=0, le=600, description="mistral: seconds between looks at a job", examples=["30"])
    mistral_wait_minutes: int = Field(
        180, ge=1, le=1440, description="mistral: how long a run waits for a job; a later run goes on with it", examples=["240"]
    )
    mistral_start_unknown_cost: bool = Field(
        False, description="mistral: start a job also when the vendor does not say in US dollars what it will cost", examples=["true"]
    )
    mistral_left_job: Literal["adopt", "cancel"] = Field(
        "adopt",
        description="mistral: an unfinished job that a killed run left is taken on (`adopt`), or cancelled and made anew (`cancel`)",
        examples=["cancel"],
    )
    mistral_batch_size: int = Field(32, ge=1, le=32, description="mistral: texts per request when classifying", examples=["16"])
    mistral_concurrency: int = Field(2, ge=1, le=16, description="mistral: requests under way at once", examples=["4"])
    wandb_project: str | None = Field(
        None, min_length=1, description="mistral: Weights & Biases project that jobs report to; needs WANDB_API_KEY", examples=["intents"]
    )
