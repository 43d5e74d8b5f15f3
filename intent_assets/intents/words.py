"""Words of messages for naming: tokens, rough stems, the words that say nothing about an intent, and slot values.

Other languages than English have short lists here; beyond that, words common to all clusters are left out by contrast.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

MAX_TOKENS = 80  # the request stands near the start of a long message
_MASKED = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|<[^>\s]{1,40}>|\[[A-Z_ ]{2,30}\]|\S*\d\S*")  # addresses, masks, numbers
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[.!?;:\n]")
_BREAK = re.compile(r"[.!?;:\n]")
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")

# In scikit-learn's list of English stop words, but telling for intents.
_TELLING_TEXT = """
bill call cry describe detail empty fill find fire full interest move name show system top amount side back bottom cancel front
give keep made part put see serious take first last next
"""
_TELLING = frozenset(_TELLING_TEXT.split())
_CHAT_TEXT = """
hi hello hey hiya yo dear please pls plz thanks thank thankyou thx ok okay yes yeah yep no nope hmm oh um uh lol sir madam want
wants wanted wanna need needs needed like would could can can't cant cannot couldn't should shall may might must will won't
wouldn't i'm im i've ive i'd i'll it's its that's what's whats where's there's here's who's how's let's don't dont didn't didnt
doesn't doesnt isn't isnt wasn't aren't haven't hasn't you're you've we're they're let know tell say said ask asking asked get got
getting gets go going gonna goes make makes making help just really actually also still already even ever maybe possible able way
ways thing things something anything someone somebody anyone anybody everything lot bit kind sort using use used try trying tried
does did doing done has have had having been being time day days today tomorrow tonight yesterday now right sure good well new old
much many long think thought wonder wondering looking look question questions monday tuesday wednesday thursday friday saturday
sunday january february march april june july august september october november december one two three four five six seven eight
nine ten hundred thousand am pm put give take see made seem seems happen happened happening happens come comes came keep keeps
supposed olly alexa siri assistant ago later earlier recent recently currently soon immediately quickly asap morning afternoon
evening night noon midnight week weeks weekend month months year years hour hours minute minutes while moment couple several
unable aware unaware unsure understand explain reason issue issues problem problems properly exactly certain specific particular
near via per upon onto etc instead regarding concerning kindly guys anymore somewhere anywhere nothing sorry wait waiting waited
"""
# What people say instead of asking for something; a cluster of little else is named by these.
_GREETING_TEXT = """
hi hello hey hiya yo thanks thank thankyou thx good morning afternoon evening night bye goodbye ok okay yes yeah yep no nope
"""
_GREETING = frozenset(_GREETING_TEXT.split())

_CHAT = frozenset(_CHAT_TEXT.split())
_GERMAN_TEXT = """
der die das den dem des ein eine einen einem einer und oder aber ist sind war bin habe hat haben ich du er sie es wir ihr mein
meine meinen meiner nicht kein keine wie was wo wann warum kann kannst können möchte will bitte mit für auf von aus bei nach zu
zum zur im am an in mir mich dir dich sich man noch schon auch nur
"""
_GERMAN = frozenset(_GERMAN_TEXT.split())
# French, Spanish, Italian, Portuguese
_OTHER_TEXT = """
le la les un une de et ou mais est sont suis je tu il elle nous
vous ils mon ma mes ton votre vos ne pas que qui quoi comment où quand pourquoi peux pouvez puis veux voudrais avec pour sur dans
par en au aux ce cette ces ai avez ont être fait faire el los las unos unas y o pero son soy yo tú él ella nosotros mi mis tus su
sus no qué cómo dónde cuándo por para con sin del al se lo me te quiero puedo puede puedes necesito hay está estoy esta este como
gli i uno ed sono io lei noi voi loro mio mia non che chi come dove quando perché posso vorrei per da di nel della os as um uma e
mas é são eu você nós meu minha não quem onde quanto porque quero preciso com sem em na nas nos do
"""
_OTHER = frozenset(_OTHER_TEXT.split())


# Joined with the word before them, because they turn its meaning: top up, log in, not working.
_PARTICLES = frozenset({"up", "off", "out", "down"})
_PARTICLES_AFTER = {
    "in": frozenset({"log", "logs", "logged", "logging", "sign", "signed", "signing", "check", "checked"}),
    "on": frozenset({"turn", "turned", "switch", "switched"}),
}
_PLACE = frozenset({"from", "to", "in", "near", "into", "between"})
_GERMAN_ONLY = frozenset(["der", "das", "dem", "des", "ein", "eine", "einen", "ist", "sind", "ich", "du", "er", "sie", "es", "wir", "mein", "meine", "nicht", "wie", "wo", "kann", "bitte", "mit", "für", "von"])
_FAR = 4  # words with more than three stop words between them make no phrase
_PAUSE = ("", "", 0, "")
_NOT = re.compile(r"^(not|never|cannot|cant|wont|dont|doesnt|didnt|isnt|wasnt|.*n't)$")


@dataclass(frozen=True)
class Words:
    """The telling words of one message in order; an empty stem stands between sentences and between words far apart.

    Attributes:
        stems: (n,) rough stems.
        surfaces: (n,) the words as written, in lower case.
        cased: (n,) 1 for a word written with a capital where none is due, -1 for one in lower case there, 0 where nobody can tell.
        after: (n,) the preposition of place that stands directly before the word, empty if none does.
    """

    stems: tuple[str, ...]
    surfaces: tuple[str, ...]
    cased: tuple[int, ...]
    after: tuple[str, ...]


@cache
def stop_words() -> frozenset[str]:
    """Words that say nothing about an intent."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) - _TELLING | _CHAT | _GERMAN | _OTHER


@cache
def _kept(drop_stop_words: bool, drop_greetings: bool) -> frozenset[str]:
    return (stop_words() - (frozenset() if drop_greetings else _GREETING)) if drop_stop_words else frozenset()


def words_of(text: str, drop_stop_words: bool = True, drop_greetings: bool = True) -> Words:
    """Telling words of a message: no stop words, numbers, addresses or single letters; at most MAX_TOKENS are read."""
    dropped = _kept(drop_stop_words, drop_greetings)
    tokens = _TOKEN.findall(_MASKED.sub(" ", unicodedata.normalize("NFKC", text[:4_000])))[:MAX_TOKENS]
    cased = _cased(tokens)
    found: list[tuple[str, str, int, str]] = []
    since_not, gap, before = 9, 0, ""
    for token, case in zip(tokens, cased, strict=True):
        word = token.casefold().replace("’", "'")
        since_not, gap = (0 if _NOT.match(word) else since_not + 1), gap + 1
        if _BREAK.match(token):
            found.append(_PAUSE)
            since_not = 9
        elif found and found[-1][1] and _joins(before, word):
            found[-1] = (found[-1][0] + "_" + word, found[-1][1] + " " + word, *found[-1][2:])
        elif word not in dropped and (len(word) > 2 or not word.isascii()):
            if gap > _FAR and found:
                found.append(_PAUSE)
            word = word.removesuffix("'s")
            shown = word[:12] if _WIDE.search(word) else word[:24]
            marks = ("not_", "not ") if since_not <= 2 else ("", "")
            found.append((marks[0] + stem(word), marks[1] + shown, case, before if before in _PLACE else ""))
            since_not, gap = 9, 0
        before = word
    return Words(*zip(*found, strict=True)) if found else Words((), (), (), ())


def _cased(tokens: list[str]) -> list[int]:
    """Per token what its writing tells (see Words.cased): nothing at the start of a sentence, in German, in messages all in capitals."""
    starts = [place == 0 or bool(_BREAK.match(tokens[place - 1])) for place in range(len(tokens))]
    inner = [token for token, first in zip(tokens, starts, strict=True) if not first and token.isalpha() and len(token) > 3]
    shouted = len(inner) > 2 and sum(token[0].isupper() for token in inner) > 0.6 * len(inner)
    if shouted or any(token in _GERMAN_ONLY for token in tokens):
        return [0] * len(tokens)
    return [0 if first or (len(token) > 1 and token.isupper()) else 1 if token[0].isupper() else -1 for token, first in zip(tokens, starts, strict=True)]


def slot_values(messages: Iterable[Words]) -> frozenset[str]:
    """Stems that fill slots, such as names of places, people and products.

    They are mostly written with a capital within sentences, or stand bare after different prepositions of place:
    `to china`, `in china`, `from china`.
    """
    total, capital, small = Counter[str](), Counter[str](), Counter[str]()
    placed: dict[str, Counter[str]] = {}
    for words in messages:
        for word, case, after in zip(words.stems, words.cased, words.after, strict=True):
            total[word] += 1
            if case:
                (capital if case > 0 else small)[word] += 1
            if after:
                placed.setdefault(word, Counter())[after] += 1
    names = {word for word, count in capital.items() if count > small[word] * 1.2}
    return frozenset(names | {word for word, places in placed.items() if word and _is_place(places, total[word])})


def _is_place(places: Counter[str], total: int) -> bool:
    """Whether a word stands mostly after bare prepositions of place, and after more than one; verbs only follow `to`."""
    usual = sum(count >= max(2, 0.08 * total) for count in places.values())
    return total >= 5 and usual >= 2 and sum(places.values()) >= 0.45 * total


def _joins(before: str, word: str) -> bool:
    """Whether the telling word just before takes this particle."""
    if before in stop_words():
        return False
    return word in _PARTICLES or before in _PARTICLES_AFTER.get(word, ())


@cache
def stem(word: str) -> str:
    """A rough stem that joins the forms of an English word: `charges`, `charged`, `charge`.

    >>> [stem(w) for w in ("charges", "charged", "cancelling", "cancel", "deliveries", "delivery")]
    ['charg', 'charg', 'cancel', 'cancel', 'deliver', 'deliver']
    """
    for ending in ("ies", "ied", "ing", "ed", "es", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    doubled = len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls"
    if doubled or (len(word) > 5 and word.endswith("ll")):
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


def emoji_words(text: str) -> list[str]:
    """Plain words for the first pictographs of a text, e.g. thumbs, up, sign."""
    names = [unicodedata.name(c, "") for c in text if unicodedata.category(c) == "So"]
    return [w.lower() for name in names[:1] for w in re.findall(r"[A-Z]{2,}", name) if w not in ("WITH", "AND", "FACE")][:3]
