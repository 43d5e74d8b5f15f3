"""Settings of the teacher that is a hosted model: which models, how they are asked, and what that may cost."""

from typing import Literal

from pydantic import BaseModel, Field


class TeacherSettings(BaseModel):
    """The part of Settings that only `INTENT_TEACHER=anthropic` reads."""

    use_case: str = Field(
        "understand what users ask of the application",
        max_length=500,
        description="anthropic: one sentence on what the intents are for; it steers names and granularity",
        examples=["route support requests to the right team"],
    )
    summary_model: str = Field("claude-haiku-5-5", description="anthropic: writes summaries of long traces", examples=["claude-haiku-5-5"])
    label_model: str = Field("claude-haiku-5-5", description="anthropic: labels the sample", examples=["claude-haiku-5-5"])
    taxonomy_model: str = Field("claude-opus-5-5", description="anthropic: writes the taxonomy", examples=["claude-sonnet-5-5"])
    strong_model: str = Field(
        "claude-sonnet-5-5", description="anthropic: asked again where classifier and labels disagree", examples=["claude-opus-5-5"]
    )
    llm_mode: Literal["direct", "batch"] = Field(
        "direct",
        description="anthropic: relearns and daily runs ask `direct` or in a `batch`, at half the price and some hours later",
        examples=["batch"],
    )
    llm_concurrency: int = Field(4, ge=1, le=64, description="anthropic: requests under way at once", examples=["8"])
    batch_wait_minutes: int = Field(
        240, ge=1, le=1440, description="anthropic: how long a run waits for a batch; a later run goes on with it", examples=["240"]
    )
    summaries: Literal["model", "extractive"] = Field(
        "model", description="anthropic: long texts are summarised by the `model`, or `extractive`, without one", examples=["extractive"]
    )
    summary_over_chars: int = Field(
        1_000,
        ge=0,
        description="anthropic: users' texts longer than this are summarised; the default is what the embedder can read",
        examples=["200"],
    )
    summary_words: int = Field(40, ge=10, le=200, description="anthropic: words of a summary at most", examples=["40"])
    summary_language: str = Field("English", description="anthropic: language of summaries, names and definitions", examples=["German"])
    name_words: int = Field(5, ge=1, le=10, description="anthropic: words of an intent's name at most", examples=["4"])
    definition_words: int = Field(25, ge=5, le=80, description="anthropic: words of an intent's definition", examples=["20"])
    minibatch_size: int = Field(40, ge=5, le=200, description="anthropic: groups of traces shown per step of the taxonomy", examples=["40"])
    taxonomy_sample: int = Field(1_500, ge=20, description="anthropic: most traces shown for the taxonomy", examples=["1500"])
    labels_per_request: int = Field(20, ge=1, le=100, description="anthropic: traces labelled per request", examples=["20"])
    n_examples: int = Field(5, ge=0, le=20, description="anthropic: nearest corrections shown for each trace to label", examples=["5"])
    recheck_share: float = Field(
        0.1, ge=0, le=1, description="anthropic: most labels, as a share, that the strong model is asked about again", examples=["0.1"]
    )
    max_failed_share: float = Field(
        0.05, ge=0, le=1, description="anthropic: share of texts without an answer above which a check fails", examples=["0.05"]
    )
    redact: bool = Field(True, description="anthropic: remove personal data before anything is sent", examples=["false"])
    budget_usd: float = Field(
        20.0, ge=0, description="anthropic, mistral: most US dollars of any 30 days, all runs together", examples=["50"]
    )
    run_budget_usd: float = Field(
        5.0, ge=0, description="anthropic, mistral: most US dollars of one run, and of one training job", examples=["2.5"]
    )
    prices: str | None = Field(
        None, description="anthropic: YAML file of prices, over the table that comes along", examples=["prices.yaml"]
    )
