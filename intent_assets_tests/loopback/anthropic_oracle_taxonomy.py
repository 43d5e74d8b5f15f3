"""How the oracle writes and revises a taxonomy: it names what the traces are about, and mends names that it gave badly before."""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random

from intent_assets_tests.loopback.anthropic_gold import OTHER, Gold
from intent_assets_tests.loopback.anthropic_prompts import Intent, Item, clusters_in, intents_in, loose_traces_in, normalised
from intent_assets_tests.loopback.anthropic_wire import Json

MIN_SHARE, MAX_INTENTS = 0.25, 3  # of a cluster's shown traces that an intent needs; of intents that a cluster may have
_SLOPPY_SUFFIXES = ("_request", "_help")


class Namer:
    """Gives intents names and definitions, and remembers which gold intent each of its names means."""

    def __init__(self, definitions: Mapping[str, str], sloppy_names: float, seed: int) -> None:
        self._definitions = definitions
        self._sloppy_names, self._seed = sloppy_names, seed
        self._gold_of: dict[str, str] = {}
        self._aliases: dict[str, list[str]] = {}

    def name(self, gold: str, occasion: str) -> str:
        """A name for an intent: gold's, or a sloppy one that differs between occasions."""
        if Random(f"{self._seed} {gold}").random() >= self._sloppy_names:
            return gold
        alias = gold + Random(f"{self._seed} {gold} {occasion}").choice(_SLOPPY_SUFFIXES)
        if alias not in self._gold_of:
            self._gold_of[alias] = gold
            self._aliases.setdefault(gold, []).append(alias)
        return alias

    def gold_of(self, name: str) -> str:
        """What a name means: itself, if the oracle did not make it."""
        return self._gold_of.get(normalised(name), normalised(name))

    def aliases_of(self, gold: str) -> list[str]:
        """The sloppy names that an intent was given."""
        return self._aliases.get(gold, [])

    def definition(self, gold: str) -> str:
        """As given, or derived from the name."""
        return self._definitions.get(gold) or f"Users who ask about {gold.replace('_', ' ')}."


def revised(user: str, gold: Gold, namer: Namer) -> Json:
    """The answer to a taxonomy question: intents that are missing, names to mend, and the intents of each cluster."""
    current = intents_in(user)
    names = {namer.gold_of(intent.name): intent.name for intent in reversed(current)}  # gold -> current name, the first of them
    new: dict[str, str] = {}  # name -> gold, in order

    def named(meant: str, occasion: str) -> str:
        if meant in names:
            return names[meant]
        name = namer.name(meant, occasion)
        new.setdefault(name, meant)
        return name

    clusters = []
    for cluster in clusters_in(user):
        meant = _main(gold, cluster.traces)
        occasion = cluster.traces[0].text if cluster.traces else cluster.id
        clusters.append({"id": cluster.id, "intents": [named(one, occasion) for one in meant]})
    for trace in loose_traces_in(user):
        if (meant_by_it := gold.intent_of(trace.text)) != OTHER and meant_by_it not in new.values():
            named(meant_by_it, trace.text)
    revisions, merges = _mended(current, namer, gold)
    badly_named = len(revisions) + len(merges)
    changes = len(new) + badly_named
    return {
        "critique": f"{len(new)} intents are missing, {badly_named} are named badly." if changes else "Nothing to change.",
        "quality": 100 - min(60, changes),
        "new_intents": [{"name": name, "definition": namer.definition(meant)} for name, meant in new.items()],
        "revisions": revisions,
        "merges": merges,
        "clusters": clusters,
    }


def _main(gold: Gold, traces: Iterable[Item]) -> list[str]:
    """The intents of at least a quarter of the traces, the commonest first."""
    counts = Counter(gold.intent_of(trace.text) for trace in traces)
    total = counts.total()
    return [name for name, n in counts.most_common() if n >= total * MIN_SHARE and name != OTHER][:MAX_INTENTS]


def _mended(current: Iterable[Intent], namer: Namer, gold: Gold) -> tuple[list[Json], list[Json]]:
    """Names that mean the same are merged, a sloppy one that stands alone is renamed; a fixed one is left as it is."""
    by_gold: dict[str, list[Intent]] = {}
    for intent in current:
        by_gold.setdefault(namer.gold_of(intent.name), []).append(intent)
    revisions, merges = [], []
    for meant, intents in by_gold.items():
        fixed = [intent for intent in intents if intent.is_fixed]
        proper = fixed[0].name if fixed else meant
        definition = fixed[0].definition if fixed else namer.definition(meant)
        if len(intents) > 1 and len(fixed) < 2:
            merges.append({"intents": [intent.name for intent in intents], "name": proper, "definition": definition})
        elif len(intents) == 1 and not fixed and meant in gold.names and meant != normalised(intents[0].name):
            revisions.append({"intent": intents[0].name, "name": proper, "definition": definition})
    return revisions, merges
