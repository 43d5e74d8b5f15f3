"""`intent-assets label`: a person looks at traces one by one and says what they are about; every answer is stored at once.

Which traces are shown is chosen here; keys and screens are in label_session.py, what an answer does to the stored labels in
intents/terminal_labels.py.
"""

import getpass
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from intent_assets.commands import terminal
from intent_assets.commands.label_session import CHANGED, CONFIRMED, LABELLED, NONE_FITS, SKIPPED, Session
from intent_assets.contracts import Release, Store
from intent_assets.errors import BadInput
from intent_assets.hosting import mistral_hosting, opener
from intent_assets.intents.classifier_versions import read_classifier
from intent_assets.intents.corrections import stored_corrections
from intent_assets.intents.intent_names import normalise_name
from intent_assets.intents.release import require_current
from intent_assets.intents.taxonomy import ACTIVE, Taxonomy
from intent_assets.intents.taxonomy_versions import require_taxonomy
from intent_assets.intents.terminal_labels import GOLDEN, Labelled, labelled
from intent_assets.intents.terminal_traces import ToJudge, TraceShown, drawn_at_random, read_shown
from intent_assets.intents.worth_a_look import candidates, stored_judgements
from intent_assets.resources import open_store, utc_now
from intent_assets.settings import Settings
from intent_assets.tables import TAGGED_TRACES


@dataclass(frozen=True)
class Wanted:
    """What a person asked for: how many traces, of which intent, for which pool, in whose name, with personal data or without."""

    limit: int
    intent: str | None
    pool: str
    author: str | None
    raw: bool


def label_traces(settings: Settings, wanted: Wanted) -> None:
    """Show traces one by one in the terminal and store what the person says of each.

    Raises:
        BadInput: no terminal, an unknown intent, nothing tagged yet.
        MissingUpstream: nothing was released yet.
    """
    _require_terminal()
    if wanted.pool == GOLDEN and wanted.intent:
        raise BadInput("label: --golden draws from all traces, so that it measures all tags; it cannot go with --intent.")
    author = wanted.author or _login()
    store = open_store(settings)
    sheet, taxonomy = _sheet(store, settings, wanted)
    if not sheet:
        terminal.say(_nothing_left(wanted))
        return
    _tell(_labelled_by(author, store, sheet, taxonomy, wanted.pool), settings)


def _require_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or terminal.console.is_dumb_terminal:
        raise BadInput(
            "label: expected a terminal, to show traces and read single keys; input or output is a pipe or a file. Without one, give "
            "labels in a file with columns trace_id,intent: INTENT_LABELS=labels.csv (docs/labelling.md)."
        )


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise BadInput("label: expected the name of the person who labels; this account has none. Give it: --author NAME") from error


def _sheet(store: Store, settings: Settings, wanted: Wanted) -> tuple[list[TraceShown], Taxonomy]:
    """The traces to show, and the taxonomy whose intents may be chosen."""
    days = store.tables.days(TAGGED_TRACES)[-settings.window_days :]
    if not days:
        raise BadInput(f"label: expected tagged traces in {store.uri}, there are none. Run `intent-assets run` first.")
    release, taxonomy = require_current(store.artifacts), require_taxonomy(store.artifacts)
    known = labelled(stored_corrections(store.artifacts), wanted.pool)
    if wanted.pool == GOLDEN:
        chosen = _drawn(store, days, limit=wanted.limit, seed=settings.seed, known=known)
        classifier = None
    else:
        intent_id = _wanted_intent(taxonomy, wanted.intent)
        chosen = _chosen(store, release, days, limit=wanted.limit, seed=settings.seed, intent_id=intent_id, known=known)
        open_hosted = opener(partial(mistral_hosting, settings), store.artifacts, terminal.say)
        classifier = read_classifier(store.artifacts, release.classifier_version, open_hosted)
    shown = read_shown(store.tables, chosen, taxonomy, classifier, redacted=not wanted.raw)
    fresh = [one for one in shown if one.text_hash not in known.text_hashes]
    return fresh[: wanted.limit], taxonomy


def _chosen(
    store: Store, release: Release, days: Sequence[str], *, limit: int, seed: int, intent_id: str | None, known: Labelled
) -> list[ToJudge]:
    """The traces that are worth a look, best first: some more than `limit`, since some of their texts may be labelled already."""
    most = limit + len(known.text_hashes)
    said = stored_judgements(store.artifacts, release.classifier_version)
    found = candidates(store.tables, days, release.model_id, said, limit=most, seed=seed, intent_id=intent_id, leave_out=known.trace_ids)
    return [ToJudge(one.trace_id, one.source, one.day, one.reason) for one in found]


def _drawn(store: Store, days: Sequence[str], *, limit: int, seed: int, known: Labelled) -> list[ToJudge]:
    """Traces of the window drawn at random, each as likely as any other, that have no golden label yet."""
    return drawn_at_random(store.tables, days, limit=limit, seed=seed, leave_out=known.trace_ids)


def _wanted_intent(taxonomy: Taxonomy, name: str | None) -> str | None:
    """The id of the active intent that is asked about."""
    if name is None:
        return None
    found = taxonomy.by_name(normalise_name(name))
    if found is None or found.status != ACTIVE:
        raise BadInput(f"label: no intent is named {name!r}. All: `intent-assets taxonomy show`. Abstained traces come without --intent.")
    return found.id


def _labelled_by(author: str, store: Store, sheet: Sequence[TraceShown], taxonomy: Taxonomy, pool: str) -> Session:
    """Run the session on the terminal's second screen, and give the terminal back as it was."""
    from intent_assets.commands.label_keys import GONE, Keys

    with Keys(sys.stdin.fileno()) as keys:
        session = Session(store.artifacts, terminal.console, keys, sheet, taxonomy, author, pool, utc_now)
        try:
            with terminal.console.screen(hide_cursor=True):
                session.run()
        except OSError as error:
            if error.errno not in GONE:
                raise
            sys.exit(1)  # the terminal was closed: what was answered is stored, and nobody is there to be told
    return session


def _nothing_left(wanted: Wanted) -> str:
    if wanted.pool == GOLDEN:
        return "Nothing to label: every trace with text in the window has a golden label. `intent-assets run` brings new traces."
    of = f" of {wanted.intent}" if wanted.intent else ""
    return f"Nothing to label: no trace{of} in the window is open. `intent-assets run` brings new ones."


def _tell(session: Session, settings: Settings) -> None:
    """What the person did, and what happens with it next."""
    counts = session.counts
    kinds = [LABELLED, NONE_FITS, SKIPPED] if session.pool == GOLDEN else [CONFIRMED, CHANGED, NONE_FITS, SKIPPED]
    rows: list[dict[str, object]] = [{"answer": kind, "traces": counts[kind]} for kind in kinds]
    n_seen, n_stored = sum(counts.values()), sum(counts.values()) - counts[SKIPPED]
    terminal.table(f"{n_seen} of {len(session.sheet)} traces seen by {session.author}", rows, right=("traces",))
    if session.new_intents:
        names = ", ".join(intent.name for intent in session.new_intents)
        terminal.say(f"New intents in taxonomy v{session.taxonomy.version:04d}, kept by every relearn: {names}")
    if not n_stored:
        terminal.say("Nothing was stored.")
    for what, command in _what_next(session, settings):
        terminal.say(what)
        if command:
            terminal.say(f"    {command}")


def _what_next(session: Session, settings: Settings) -> list[tuple[str, str]]:
    """What makes the labels count: sentences, and the command that does it at once where there is one."""
    n_said = sum(step.row is not None for step in session.steps)
    where = f" --store {settings.store}" if settings.store != Settings.model_fields["store"].default else ""
    found = []
    if n_said:
        what = f"{n_said} label(s) become tags when Dagster's corrections_sensor is on, or now with:"
        found.append((what, f"intent-assets tag --since {session.labelled_days[0]}{where}"))
    if session.pool == GOLDEN and n_said:
        found.append(("Golden labels measure the tags; nothing is ever trained on them. What they say: `intent-assets quality`.", ""))
    elif n_said:
        found.append(("The classifier learns from them at the weekly relearn, or now with:", f"intent-assets retrain{where}"))
    return found
