"""Column names, types, units and meaning of every table: the one truth about what is stored.

`conform` validates at write time; the same specs feed the column schema in the Dagster UI and docs/tables.md.
How tables are stored is in adapters/store_parquet.py.
"""

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from intent_assets.errors import BadInput, some

TEXT = pa.string()
TIME = pa.timestamp("us", tz="UTC")
REAL = pa.float64()
COUNT = pa.int64()
MESSAGE = pa.struct([pa.field("role", TEXT), pa.field("content", TEXT)])
TRACE_KEY = ("source", "trace_id")


@dataclass(frozen=True)
class Column:
    """One column: its arrow type, what it means, and whether a row may lack it."""

    name: str
    type: pa.DataType
    meaning: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A stored table. `key` identifies a row; a change in `volatile` columns alone is no change of the row."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    volatile: tuple[str, ...] = ()

    @cached_property
    def schema(self) -> pa.Schema:
        """Arrow schema in column order, with nullability."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(c.name for c in self.columns)


def _key_columns() -> tuple[Column, ...]:
    return (
        Column("source", TEXT, "where the trace came from: sample, files, langfuse or langsmith", False),
        Column("trace_id", TEXT, "id of the trace in its source", False),
    )


RAW_TRACES = Table(
    "raw_traces",
    "one row per request to the LLM application, normalised",
    TRACE_KEY,
    (
        *_key_columns(),
        Column("timestamp", TIME, "when the request was made (UTC)", False),
        Column("day", TEXT, "local day of the timestamp in the store's zone, YYYY-MM-DD", False),
        Column("session_id", TEXT, "conversation or session the trace belongs to"),
        Column("user_id", TEXT, "end user of the application"),
        Column("name", TEXT, "name of the trace in the application"),
        Column("environment", TEXT, "deployment environment, e.g. production"),
        Column("release", TEXT, "release of the application"),
        Column("version", TEXT, "version of the trace's component"),
        Column("url", TEXT, "link to the trace in its store"),
        Column("messages", pa.list_(MESSAGE), "the conversation, oldest first: role and content"),
        Column("text", TEXT, "the user's turns, joined; null when there is no text"),
        Column("output", TEXT, "what the application answered"),
        Column("latency_ms", REAL, "duration of the request in milliseconds"),
        Column("cost_usd", REAL, "cost of the request in US dollars"),
        Column("n_tokens", COUNT, "tokens of input and output together"),
        Column("error", TEXT, "error message when the request failed"),
        Column("scores", pa.map_(TEXT, REAL), "numeric scores of the trace by name"),
        Column("tags", pa.list_(TEXT), "tags set by the application"),
        Column("metadata", TEXT, "anything else, as JSON"),
        Column("content_hash", TEXT, "hash of messages and text; a new hash means new content", False),
        Column("ingested_at", TIME, "when the row was first stored in this form (UTC)", False),
    ),
    volatile=("ingested_at",),
)

REJECTED_ROWS = Table(
    "rejected_rows",
    "rows that could not become traces, each with where it stood and why",
    ("origin",),
    (
        Column("origin", TEXT, "file and line, or vendor id", False),
        Column("reason", TEXT, "what was expected and what came", False),
        Column("excerpt", TEXT, "the start of the row, redacted"),
        Column("day", TEXT, "day it is counted on", False),
        Column("rejected_at", TIME, "when it was read (UTC)", False),
    ),
    volatile=("rejected_at",),
)

SUMMARIES = Table(
    "summaries",
    "what the user wanted, in the words that get embedded",
    TRACE_KEY,
    (
        *_key_columns(),
        Column("represented_text", TEXT, "the text that is embedded: the user's words, or a summary of them"),
        Column("kind", TEXT, "verbatim, extractive or model", False),
        Column("status", TEXT, "ok, no_text, or what went wrong", False),
        Column("content_hash", TEXT, "content_hash of the raw trace this was made from", False),
        Column("text_hash", TEXT, "hash of represented_text; null without text"),
        Column("n_tokens", COUNT, "tokens paid for this row; 0 without a model", False),
        Column("cost_usd", REAL, "US dollars paid for this row; 0 without a model", False),
        Column("method", TEXT, "method and version, or model and prompt version", False),
    ),
)

EMBEDDINGS = Table(
    "embeddings",
    "one unit vector per trace with text",
    TRACE_KEY,
    (
        *_key_columns(),
        Column("vector", pa.list_(pa.float32()), "unit-length float32 vector of represented_text", False),
        Column("model_id", TEXT, "model and weights that made the vector; spaces are never mixed", False),
        Column("kind", TEXT, "kind of the represented text", False),
        Column("text_hash", TEXT, "hash of the embedded text", False),
    ),
)

CLUSTERS = Table(
    "clusters",
    "cluster of every sampled trace of the window; raw material, never a tag",
    TRACE_KEY,
    (
        *_key_columns(),
        Column("day", TEXT, "day of the trace", False),
        Column("cluster_id", COUNT, "cluster number, largest first; -1 is noise", False),
        Column("strength", REAL, "how central the trace is to its cluster, 0 to 1", False),
        Column("x", REAL, "position on the 2-d map, first axis", False),
        Column("y", REAL, "position on the 2-d map, second axis", False),
    ),
)

INTENT_MEMBERS = Table(
    "intent_members",
    "which sampled traces made which discovered intent",
    TRACE_KEY,
    (
        *_key_columns(),
        Column("day", TEXT, "day of the trace", False),
        Column("text_hash", TEXT, "hash of the trace's represented text", False),
        Column("intent_id", TEXT, "intent its cluster became", False),
        Column("strength", REAL, "how central the trace is to its cluster, 0 to 1", False),
    ),
)

_LABEL_COLUMNS = (
    Column("label_id", TEXT, "stable id of the label", False),
    Column("trace_id", TEXT, "trace labelled; null when only a text was given"),
    Column("content_hash", TEXT, "hash of the labelled text"),
    Column("text", TEXT, "the labelled text", False),
    Column("intent_id", TEXT, "intent chosen; null when the labeller found none fitting"),
    Column("intent", TEXT, "name of the intent when the label was made"),
    Column("second_intent_id", TEXT, "intent that came next; null without one"),
    Column("labeller", TEXT, "offline, a model id, person or file", False),
    Column("author", TEXT, "who: a user name, a file name"),
    Column("weight", REAL, "how much the label counts in training", False),
    Column("stands_for", REAL, "traces of the window that are most like this one among the labelled; null when not known"),
    Column("confidence", REAL, "the labeller's own confidence, 0 to 1"),
    Column("status", TEXT, "ok, or why the label must not be used", False),
    Column("prompt_version", TEXT, "prompt or method version that made the label"),
    Column("pool", TEXT, "train or golden", False),
    Column("created_at", TIME, "when the label was made (UTC)", False),
)
LLM_LABELS = Table("llm_labels", "the teacher's labels of a chosen sample", ("label_id",), _LABEL_COLUMNS, ("created_at",))
CORRECTIONS = Table("corrections", "people's labels; they beat every other", ("label_id",), _LABEL_COLUMNS, ("created_at",))

TEACHER_ANSWERS = Table(
    "teacher_answers",
    "what a hosted model answered about each text it was asked about; what stands here is not asked again",
    ("item_key",),
    (
        Column("item_key", TEXT, "hash of all that the answer depends on: text, examples, intents, prompt, model", False),
        Column("kind", TEXT, "what was asked: summary, taxonomy or label", False),
        Column("model", TEXT, "the vendor's id of the model", False),
        Column("prompt_version", TEXT, "version of the prompt", False),
        Column("status", TEXT, "ok, or why there is no usable answer", False),
        Column("answer", TEXT, "the model's answer as JSON; null without one"),
        Column("detail", TEXT, "what was wrong, for people"),
        Column("n_asked", COUNT, "how often it was asked", False),
        Column("n_tokens", COUNT, "tokens billed, its share of the request's", False),
        Column("cost_usd", REAL, "US dollars billed, its share of the request's", False),
        Column("request_key", TEXT, "request it was part of when it was asked last", False),
        Column("asked_at", TIME, "when it was answered last (UTC)", False),
    ),
    volatile=("asked_at",),
)

TAGGED_TRACES = Table(
    "tagged_traces",
    "the decision on every trace: an intent with confidence, or a reasoned abstention",
    TRACE_KEY,
    (
        *_key_columns(),
        Column("timestamp", TIME, "when the request was made (UTC)", False),
        Column("intent_id", TEXT, "permanent id of the intent; null when abstained"),
        Column("intent", TEXT, "name of the intent; null when abstained"),
        Column(
            "confidence",
            REAL,
            "probability of the top intent, 0 to 1; of a reused tag how often such tags were right, or the classifier's if it agrees",
        ),
        Column("margin", REAL, "the classifier's top probability minus its second, whoever decided"),
        Column("abstained", pa.bool_(), "true when no intent is given", False),
        Column("abstain_reason", TEXT, "no_text, low_confidence or out_of_scope"),
        Column("top_intent_id", TEXT, "the classifier's best guess, whoever decided and also when abstained"),
        Column("tag_source", TEXT, "who decided: classifier, person (of this trace), or reuse (the label of a text like it)", False),
        Column("taxonomy_version", COUNT, "taxonomy of the release that tagged", False),
        Column("classifier_version", COUNT, "classifier of the release that tagged", False),
        Column("content_hash", TEXT, "content the tag was decided on", False),
        Column("tagged_at", TIME, "when the row last changed (UTC)", False),
    ),
    volatile=("tagged_at",),
)

DELIVERIES = Table(
    "deliveries",
    "receipts of the tags written to the trace store",
    ("target", "trace_id"),
    (
        Column("target", TEXT, "sink that received the tag", False),
        Column("trace_id", TEXT, "trace the tag was written to", False),
        Column("score_id", TEXT, "stable id of what was written", False),
        Column("intent_id", TEXT, "intent written; null when withdrawn"),
        Column("value_sent", TEXT, "the value the sink holds or may hold; empty when it never had one", False),
        Column("payload_hash", TEXT, "hash of everything sent; an equal hash is not sent again", False),
        Column("status", TEXT, "written, withdrawn, retracted, refused, or missing: sent and not seen yet", False),
        Column("detail", TEXT, "why it was refused or is missing"),
        Column("timestamp", TIME, "time under which the tag stands in the sink (UTC), kept from the first delivery"),
        Column("release", TEXT, "release that made the tag", False),
        Column("delivered_at", TIME, "when it was delivered (UTC)", False),
    ),
    volatile=("delivered_at",),
)

INTENT_METRICS = Table(
    "intent_metrics",
    "per intent and day: volume, users, speed, cost, errors, scores",
    ("intent_id",),
    (
        Column("day", TEXT, "day of the traces", False),
        Column("intent_id", TEXT, "intent id; `abstained` for traces without an intent", False),
        Column("intent", TEXT, "name of the intent", False),
        Column("n_traces", COUNT, "traces with this tag", False),
        Column("share", REAL, "share of the day's traces", False),
        Column("n_users", COUNT, "distinct users", False),
        Column("latency_p50_ms", REAL, "median latency in milliseconds"),
        Column("latency_p95_ms", REAL, "95th percentile latency in milliseconds"),
        Column("cost_usd", REAL, "total cost in US dollars"),
        Column("n_tokens", COUNT, "total tokens"),
        Column("error_rate", REAL, "share of traces with an error", False),
        Column("mean_confidence", REAL, "mean confidence of the tags"),
        Column("score_means", pa.map_(TEXT, REAL), "mean of each numeric score"),
    ),
)

DAILY_TABLES = (RAW_TRACES, REJECTED_ROWS, SUMMARIES, EMBEDDINGS, TAGGED_TRACES, DELIVERIES, INTENT_METRICS)
ALL_TABLES = (*DAILY_TABLES, TEACHER_ANSWERS, CLUSTERS, INTENT_MEMBERS, LLM_LABELS, CORRECTIONS)


def conform(rows: pa.Table, table: Table) -> pa.Table:
    """Return `rows` with exactly the columns, order and types of `table`.

    Raises:
        BadInput: a column is missing or unknown, a type cannot be cast, or a required value is null.
    """
    missing = [n for n in table.names if n not in rows.column_names]
    unknown = [n for n in rows.column_names if n not in table.names]
    if missing or unknown:
        raise BadInput(
            f"{table.name}: expected columns {', '.join(table.names)}; "
            f"missing: {some(missing) or 'none'}; unknown: {some(unknown) or 'none'}."
        )
    arrays = [_cast(rows.column(c.name), c, table.name) for c in table.columns]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _cast(values: pa.ChunkedArray, column: Column, table_name: str) -> pa.ChunkedArray:
    if not column.nullable and values.null_count:
        raise BadInput(f"{table_name}.{column.name}: a value is required in every row; {values.null_count} of {len(values)} are null.")
    if values.type == column.type:
        return values
    try:
        return values.cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadInput(f"{table_name}.{column.name}: expected {column.type}, came {values.type}: {error}") from error


def rows_to_table(rows: list[dict[str, object]], table: Table) -> pa.Table:
    """Build a conforming table from dictionaries; keys absent from a row become null."""
    return conform(pa.Table.from_pylist(rows, schema=table.schema), table)


def empty(table: Table) -> pa.Table:
    """Return a conforming table without rows."""
    return table.schema.empty_table()
