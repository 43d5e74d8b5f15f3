"""Settings of live trace stores, Langfuse and LangSmith: what is read, how intents are written back, what counts as a label."""

from typing import Literal

from pydantic import BaseModel, Field

from intent_assets.setting_kinds import Words


class LiveSettings(BaseModel):
    """The part of Settings that only live trace stores read."""

    write: Literal["scores", "tags"] = Field(
        "scores",
        description="Langfuse: intents become `scores`, or `tags` on servers that can add them later (v3, v4 dual)",
        examples=["scores"],
    )
    score_name: str = Field(
        "intent",
        pattern=r"^[\w .()-]{1,24}$",
        description="name of the score (Langfuse) or key of the feedback (LangSmith) that holds the intent",
        examples=["intent"],
    )
    dry_run: bool = Field(False, description="show what would be delivered and send nothing", examples=["true"])
    langfuse_plan: Literal["self-hosted", "hobby", "core", "pro"] = Field(
        "self-hosted", description="plan of Langfuse Cloud whose request limits are kept; a server of your own has none", examples=["core"]
    )
    environments: Words = Field((), description="Langfuse: only traces of these environments, comma-separated", examples=["production"])
    trace_names: Words = Field(
        (), description="Langfuse, LangSmith: only traces of these names, comma-separated", examples=["support-chat"]
    )
    trace_tags: Words = Field(
        (), description="Langfuse, LangSmith: only traces with one of these tags, comma-separated", examples=["shop,beta"]
    )
    users: Words = Field((), description="Langfuse: only traces of these user ids, comma-separated", examples=["user-17"])
    overlap_minutes: int = Field(
        15, ge=1, le=1440, description="Langfuse, LangSmith: how late a trace may arrive and still be seen at once", examples=["15"]
    )
    backfill_days: int = Field(30, ge=1, description="Langfuse, LangSmith: days that a first look goes back", examples=["90"])
    runs_are_labels: bool = Field(
        False,
        description="LangSmith: feedback `user-score` and `correction`, and examples of data sets, are labels of intents",
        examples=["true"],
    )
    label_datasets: Words = Field(
        (),
        description="Langfuse, LangSmith: data sets whose items have the name of an intent as expected output, comma-separated",
        examples=["wrong-intents,golden"],
    )
