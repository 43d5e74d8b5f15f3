"""The form of an intent's name and id: snake_case words, ids that never change, and when two names are too near.

What an intent is called is decided in naming.py (offline teacher) or by people; this file only knows the form.
"""

import hashlib
import re
import unicodedata

MAX_NAME_CHARS = 60
_ID = re.compile(r"^int_[0-9a-f]{8}$")
_NAME = re.compile(r"^[^\W_]+(?:_[^\W_]+)*$")
_APOSTROPHES = re.compile(r"['’ʼ`´]")


def normalise_name(text: str) -> str:
    """Turn any label text into a snake_case name of at most 60 characters; the result is its own normal form.

    Latin accents are dropped, other scripts are kept. Text without a letter or digit becomes `unnamed_` and four hex digits.

    >>> normalise_name("Card arrival?"), normalise_name("Récupérer mot de passe"), normalise_name("int'l / fees")
    ('card_arrival', 'recuperer_mot_de_passe', 'intl_fees')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", " ", text)
    folded = _fold(_APOSTROPHES.sub("", spaced))
    words = [word for word in re.split(r"[\W_]+", folded) if word]
    if not words:
        return "unnamed_" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:4]
    return _cut(words)


def _fold(text: str) -> str:
    """Lower case without accents on Latin letters; a fixed point of itself."""
    for _ in range(8):
        plain = "".join(_without_accent(c) for c in unicodedata.normalize("NFKC", text))
        lowered = unicodedata.normalize("NFKC", plain.casefold())
        if lowered == text:
            break
        text = lowered
    return text


def _without_accent(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    return decomposed[0] if decomposed[0].isascii() and decomposed[0].isalpha() else character


def _cut(words: list[str]) -> str:
    """Whole words up to the limit; a single longer word is cut."""
    name = words[0][:MAX_NAME_CHARS]
    for word in words[1:]:
        if len(name) + 1 + len(word) > MAX_NAME_CHARS:
            break
        name += "_" + word
    return name


def is_name(text: str) -> bool:
    """Whether the text has the form of a name: what `normalise_name` returns."""
    return bool(_NAME.match(text)) and normalise_name(text) == text


def is_id(text: str) -> bool:
    """Whether the text is `int_` and eight hex digits."""
    return bool(_ID.match(text))


def name_key(name: str) -> str:
    """What near-same names share: the words without plural endings, joined. `card_fees` and `cardfee` are one."""
    return "".join(singular(word) for word in name.split("_"))


def singular(word: str) -> str:
    """The word without an English plural ending, roughly.

    >>> [singular(w) for w in ("fees", "balances", "deliveries", "address", "status")]
    ['fee', 'balance', 'delivery', 'address', 'status']
    """
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def born_id(name: str, salt: str) -> str:
    """The id of an intent born under `name`; `salt` tells apart births of one name at different times."""
    return "int_" + hashlib.sha256(f"{name_key(name)}\x1f{salt}".encode("utf-8", "surrogatepass")).hexdigest()[:8]


def id_from_name(name: str) -> str:
    """The id of an intent that a person named: the same name, or a near-same one, gets the same id everywhere."""
    return born_id(name, "")
