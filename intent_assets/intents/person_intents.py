"""An intent that a person adds on their own: its name is refused where it is taken, and it becomes a version of the taxonomy, locked."""

from dataclasses import replace

from intent_assets.contracts import ArtifactStore
from intent_assets.errors import BadInput, TryAgain
from intent_assets.intents.intent_names import born_id, id_from_name, normalise_name
from intent_assets.intents.taxonomy import ACTIVE, Intent, Taxonomy, to_yaml
from intent_assets.intents.taxonomy_versions import FOLDER, require_taxonomy
from intent_assets.intents.versions import version_name

MADE_BY = "person"
RESERVED = frozenset({"unknown", "abstained", "none", "other", "out_of_scope", "oos"})  # these words say that a trace has no intent
MAX_TRIES = 20


def new_name(taxonomy: Taxonomy, written: str) -> str:
    """The name of a new intent, normalised.

    Raises:
        BadInput: it has no letter or digit, says that no intent fits, or an active intent has it or nearly the same one.
    """
    if not any(character.isalnum() for character in written):
        raise BadInput("A name needs letters or digits, e.g. refund_status.")
    name = normalise_name(written)
    if name in RESERVED:
        raise BadInput(f"{name} says that no intent fits; the key o does that. Choose another name.")
    known = taxonomy.by_name(name)
    if known is not None and known.status == ACTIVE:
        raise BadInput(f"There is {known.name} already. Choose it with /, or take another name.")
    return name


def with_intent(taxonomy: Taxonomy, written: str, definition: str) -> tuple[Taxonomy, Intent]:
    """The taxonomy with one more active, locked intent, and the intent; a retired one of that name comes back.

    Raises:
        BadInput: the name cannot be a new one, or there is no definition.
    """
    name, meaning = new_name(taxonomy, written), " ".join(definition.split())
    if not meaning:
        raise BadInput("A definition needs words: one sentence on what these users want.")
    retired = taxonomy.by_name(name)
    if retired is not None:
        intent = replace(retired, name=name, definition=meaning, status=ACTIVE, locked=True)
        return replace(taxonomy, intents=tuple(intent if one.id == retired.id else one for one in taxonomy.intents)), intent
    own_id = id_from_name(name)
    if taxonomy.by_id(own_id) is not None:  # an intent was born under this name and renamed since
        own_id = born_id(name, str(taxonomy.version + 1))
    intent = Intent(own_id, name, meaning, locked=True, born_in=taxonomy.version + 1)
    return replace(taxonomy, intents=(*taxonomy.intents, intent)), intent


def add_intent(artifacts: ArtifactStore, written: str, definition: str) -> tuple[Taxonomy, Intent]:
    """Store the newest taxonomy with one more intent as the next version; return it, numbered, and the intent.

    Raises:
        BadInput: the name cannot be a new one, or there is no definition.
        TryAgain: others made new versions meanwhile, every time.
    """
    for _ in range(MAX_TRIES):
        newest = require_taxonomy(artifacts)
        changed, intent = with_intent(newest, written, definition)
        numbered = replace(changed, version=newest.version + 1, parent_version=newest.version, made_by=MADE_BY)
        if artifacts.swap(f"{FOLDER}/{version_name(numbered.version)}.yaml", None, to_yaml(numbered).encode("utf-8")):
            return numbered, intent
    raise TryAgain(
        f"{artifacts.uri(FOLDER)}: expected to add {written!r}; others made new versions {MAX_TRIES} times meanwhile. Try again."
    )
