"""The two score configs that intents stand under in Langfuse, kept up to date before a new name is written.

The server takes a score whose label is not in its config with a 2xx and drops it without a word. So every name is in the
config first; names are only ever added, because older scores still use theirs.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from intent_assets.adapters.langfuse_http import LangfuseHttp, NoSuchRoute, TooLarge
from intent_assets.adapters.live_sink import UNKNOWN
from intent_assets.errors import BadInput, TryAgain, some

CONFIGS = "/api/public/score-configs"
PAGE = 100
TRIES = 3
# Says which configs are ours: of two that two runs made at once, one is archived.
OURS = "Written by intent_assets."

Config = Mapping[str, Any]


class ScoreConfigs:
    """Finds, makes and extends the configs `<name>` (CATEGORICAL) and `<name>_confidence` (NUMERIC, 0 to 1).

    Args:
        http: the connection.
        name: of the score, INTENT_SCORE_NAME.
        intent_names: gives the names of all active intents.
    """

    def __init__(self, http: LangfuseHttp, name: str, intent_names: Callable[[], Sequence[str]]) -> None:
        self._http = http
        self.name = name
        self.confidence_name = f"{name}_confidence"
        self._intent_names = intent_names
        self._refused: dict[str, str] = {}
        self._intents: Config | None = None
        self._confidences: Config | None = None

    @property
    def intent_id(self) -> str:
        """Id of the categorical config, after `prepare`."""
        return str((self._intents or {})["id"])

    @property
    def confidence_id(self) -> str:
        """Id of the numeric config, after `prepare`."""
        return str((self._confidences or {})["id"])

    def prepare(self, names: Collection[str], *, afresh: bool = False) -> dict[str, str]:
        """Make sure that these names, and those of all active intents, may be written.

        Args:
            names: about to be written.
            afresh: ask the server again; another run may have changed what was read before.

        Returns:
            Reasons by name of those that the server refuses.

        Raises:
            BadInput: a config of the name is no use: of another type, archived, or there twice.
        """
        if afresh:
            self._intents, self._refused = None, {}
        if self._intents is None or self._confidences is None:
            self._look_up()
        missing = set(names) - self._labels() - set(self._refused)
        if missing:
            self._add(sorted(missing))
        return {name: self._refused[name] for name in names if name in self._refused}

    def _look_up(self) -> None:
        found = self._listed()
        self._confidences = self._one(found, self.confidence_name, "NUMERIC") or self._made(
            {"name": self.confidence_name, "dataType": "NUMERIC", "minValue": 0, "maxValue": 1}
        )
        low, high = self._confidences.get("minValue"), self._confidences.get("maxValue")
        if (low is not None and low > 0) or (high is not None and high < 1):
            raise BadInput(
                f"Langfuse score config {self.confidence_name}: expected a range that holds 0 to 1, came {low} to {high}. "
                "Widen it in Langfuse (Settings, Scores), or set INTENT_SCORE_NAME to another name."
            )
        known = self._one(found, self.name, "CATEGORICAL")
        self._intents = known or self._made({"name": self.name, "dataType": "CATEGORICAL", "categories": _categories([UNKNOWN])})
        wanted = [name for name in dict.fromkeys([UNKNOWN, *self._intent_names()]) if name and name not in self._labels()]
        if wanted:
            self._add(wanted)

    def _listed(self) -> list[Config]:
        """Every config of the project."""
        found: list[Config] = []
        page = 1
        while True:
            rows = self._http.get(CONFIGS, {"limit": PAGE, "page": page})["data"]
            found += rows
            if len(rows) < PAGE:
                return found
            page += 1

    def _one(self, configs: Sequence[Config], name: str, kind: str) -> Config | None:
        """The config of this name; None where there is none."""
        named = [config for config in configs if config["name"] == name]
        live = [config for config in named if not config.get("isArchived")]
        other = f"or set INTENT_SCORE_NAME to another name than {self.name}."
        if len(live) > 1 and all(config.get("description") == OURS and config["dataType"] == kind for config in live):
            live = [self._without_twins(live)]
        if len(live) > 1:
            raise BadInput(
                f"Langfuse has {len(live)} score configs named {name} (ids {some(config['id'] for config in live)}): expected one, because "
                f"scores must name theirs. Archive or rename the others in Langfuse (Settings, Scores), {other}"
            )
        if named and not live:
            raise BadInput(f"Langfuse's score config {name} is archived: its scores would be dropped. Restore it in Langfuse, {other}")
        if live and live[0]["dataType"] != kind:
            raise BadInput(
                f"Langfuse has a score config {name} of type {live[0]['dataType']}: expected {kind}. Rename it in Langfuse, {other}"
            )
        return live[0] if live else None

    def _without_twins(self, twins: Sequence[Config]) -> Config:
        """The oldest of equal configs of ours: a cut connection or two first runs make twins. The others are archived."""
        oldest, *younger = sorted(twins, key=lambda config: (config["createdAt"], config["id"]))
        for config in younger:
            with suppress(TooLarge):  # a fault that passes: the next run finds the twin again
                self._http.send("PATCH", f"{CONFIGS}/{config['id']}", {"isArchived": True})
        return oldest

    def _made(self, config: Mapping[str, object]) -> Config:
        """Create a config and look again, whether it is there and whether another run did the same."""
        for _ in range(TRIES):
            with suppress(TooLarge):  # no server means it of so small a body
                self._http.send("POST", CONFIGS, {**config, "description": OURS})
            made = self._one(self._listed(), str(config["name"]), str(config["dataType"]))
            if made is not None:
                return made
        raise TryAgain(f"Langfuse took a score config {config['name']} {TRIES} times and does not list it. Try again later.")

    def _labels(self) -> set[str]:
        return {str(category["label"]) for category in (self._intents or {}).get("categories") or ()}

    def _add(self, names: Sequence[str]) -> None:
        """Add categories; where the server refuses some, find out which."""
        try:
            self._write(names)
        except BadInput as error:
            if len(names) == 1:
                self._http.get(f"{CONFIGS}/{self.intent_id}")  # a host that is no Langfuse any more refuses this too, and that ends it
                self._refused[names[0]] = f"Langfuse refuses the category {names[0]!r:.80}: {error}"
                return
            half = len(names) // 2
            self._add(names[:half])
            self._add(names[half:])

    def _write(self, names: Sequence[str]) -> None:
        """Change the config until it shows the names: a change may be lost after a 2xx, or undone by another run."""
        path = f"{CONFIGS}/{self.intent_id}"
        try:
            for _ in range(TRIES):
                old, labels = list((self._intents or {}).get("categories") or ()), self._labels()
                new = _categories([name for name in names if name not in labels], old)
                with suppress(TooLarge):  # a proxy's fault; what is not shown is tried again
                    self._http.send("PATCH", path, {"categories": [*old, *new]})
                self._intents = self._http.get(path)
                if self._labels() >= set(names):
                    return
        except NoSuchRoute as error:
            raise TryAgain(f"Langfuse's score config {self.name} went away ({error}). Run again: it is made anew.") from None
        raise TryAgain(
            f"Langfuse took new categories for the score config {self.name} {TRIES} times and does not show them. Try again later."
        )


def _categories(labels: Sequence[str], old: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, object]]:
    """Categories with numbers that are not taken yet."""
    first = max((int(category["value"]) for category in old), default=-1) + 1
    return [{"label": label, "value": first + n} for n, label in enumerate(labels)]
