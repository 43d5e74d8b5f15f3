"""Words and phrases of messages for naming: tokens, rough stems, slot values, and the words that say nothing about an intent.

Other languages than English have short lists here; beyond that, words common to all clusters are left out by contrast.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, reduce

MAX_TOKENS = 80  # the request stands near the start of a long message
_MASKED = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|<[^>\s]{1,40}>|\[[A-Z_ ]{2,30}\]|\S*\d\S*")  # addresses, masks, numbers
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[.!?;:,()\n]")
_BREAK = re.compile(r"[.!?;:,()\n]")
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
supposed olly alexa siri assistant bot ago later earlier recent recently currently soon immediately quickly asap morning afternoon
evening night noon midnight week weeks weekend month months year years hour hours minute minutes while moment couple several
unable aware unaware unsure understand explain reason issue issues problem problems properly exactly certain specific particular
near via per upon onto etc instead regarding concerning kindly guys anymore somewhere anywhere nothing sorry wait waiting waited
"""
# What people say instead of asking for something; a cluster of little else is named by these.
_GREETING_TEXT = "hi hello hey hiya thanks thank thankyou thx bye goodbye ok okay yes yeah yep no nope"
_GREETING = frozenset(_GREETING_TEXT.split())
_SAME = {"hi": "hello", "hey": "hello", "hiya": "hello", "thx": "thanks", "thank": "thanks", "thankyou": "thanks"}

_CHAT = frozenset(_CHAT_TEXT.split())
_LANGUAGES = {
    "german": """der die das den dem des ein eine einen einem einer und oder aber ist sind war bin habe hat haben ich du er sie es wir
        ihr mein meine meinen meiner nicht kein keine wie was wo wann warum kann kannst können möchte will bitte mit für auf von aus
        bei nach zu zum zur im am an in mir mich dir dich sich man noch schon auch nur""",
    "french": """le la les un une de et ou mais est sont suis je tu il elle nous vous ils mon ma mes ton votre vos ne pas que qui quoi
        comment où quand pourquoi peux pouvez puis veux voudrais avec pour sur dans par en au aux ce cette ces ai avez ont être fait
        faire des""",
    "spanish": """el la los las un una unos unas y o de en que pero es son soy yo tú él ella nosotros mi mis tu tus su sus no qué cómo
        dónde cuándo por para con sin del al se lo me te quiero puedo puede puedes necesito hay está estoy esta este como""",
    "italian": """il lo la gli i le un uno una di e o ed che è sono io lei noi voi loro mio mia non chi come dove quando perché posso
        vorrei per da nel della""",
    "portuguese": """o os as um uma e mas é de que são eu você nós meu minha não quem onde quanto porque quero preciso com sem em na
        nas no nos do da para""",
}
_SMALL_WORDS = {language: frozenset(text.split()) for language, text in _LANGUAGES.items()}
_OTHER = frozenset().union(*_SMALL_WORDS.values())

# Joined with the word before them, because they turn its meaning: top up, log in, not working.
_PARTICLES = frozenset({"up", "off", "out", "down"})
_PARTICLES_AFTER = {
    "in": frozenset({"log", "logs", "logged", "logging", "sign", "signed", "signing", "check", "checked"}),
    "on": frozenset({"turn", "turned", "switch", "switched"}),
}
_ARTICLES_TEXT = "the a an my your our his her their this that these those any some its it"
_ARTICLES = frozenset(_ARTICLES_TEXT.split())
_LINKS_TEXT = "on of for with near at in to from by without after before between"
_LINKS = frozenset(_LINKS_TEXT.split())
_PLACE = frozenset({"from", "to", "in", "near", "into", "between"})
_FAR = 3  # words with more than three stop words between them make no phrase
_LINKED, _LOOSE = 0.7, 0.35  # what a phrase counts whose words stand further apart
_AS_IS = 3  # how often a form counts that is written without words left out
_PAUSE: tuple[str, str, int, tuple[str, ...]] = ("", "", 0, ())
_NOT = re.compile(r"^(not|never|cannot|cant|wont|dont|doesnt|didnt|isnt|wasnt|.*n't)$")


@dataclass(frozen=True)
class Words:
    """The telling words of one message in order; an empty stem stands between sentences and between words far apart.

    Attributes:
        stems: (n,) rough stems.
        surfaces: (n,) the words as written, in lower case.
        cased: (n,) 1 for a word written with a capital where none is due, -1 for one in lower case there, 0 where nobody can tell.
        gaps: (n,) the small words left out since the telling word before it.
    """

    stems: tuple[str, ...]
    surfaces: tuple[str, ...]
    cased: tuple[int, ...]
    gaps: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Reading:
    """The words and phrases of the most central messages of one cluster; sets of messages are bits of an integer.

    Attributes:
        n: messages read.
        words: per stem the messages that contain it.
        phrases: per two or three stems in order, the messages where at most an article stands between them.
        linked: per two or three stems in order, the messages where a preposition or the like stands between them.
        loose: per two stems in order, the messages where another word stands between them.
        forms: per stem how often each form was written; per phrase likewise.
    """

    n: int
    words: dict[str, int]
    phrases: dict[tuple[str, ...], int]
    linked: dict[tuple[str, ...], int]
    loose: dict[tuple[str, ...], int]
    forms: dict[tuple[str, ...], Counter[tuple[str, ...]]]

    def share(self, stem: str) -> float:
        """Share of messages with the word."""
        return self.words.get(stem, 0).bit_count() / self.n

    def near(self, phrase: tuple[str, ...]) -> float:
        """Share of messages with the phrase, looser ones counting less."""
        tight, linked, loose = (found.get(phrase, 0) for found in (self.phrases, self.linked, self.loose))
        return (tight.bit_count() + _LINKED * (linked & ~tight).bit_count() + _LOOSE * (loose & ~linked & ~tight).bit_count()) / self.n

    def coverage(self, phrase: tuple[str, ...]) -> float:
        """Share of messages with the phrase; a message that holds its words elsewhere counts a little."""
        together = reduce(int.__and__, (self.words.get(stem, 0) for stem in phrase))
        return 0.6 * self.near(phrase) + 0.4 * together.bit_count() / self.n


@cache
def stop_words() -> frozenset[str]:
    """Words that say nothing about an intent."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) - _TELLING | _CHAT | _OTHER


@cache
def _kept(drop_stop_words: bool, drop_greetings: bool) -> frozenset[str]:
    return (stop_words() - (frozenset() if drop_greetings else _GREETING)) if drop_stop_words else frozenset()


def words_of(text: str, drop_stop_words: bool = True, drop_greetings: bool = True) -> Words:
    """Telling words of a message: no stop words, numbers, addresses or single letters; at most MAX_TOKENS are read."""
    dropped = _kept(drop_stop_words, drop_greetings)
    tokens = _TOKEN.findall(_MASKED.sub(" ", unicodedata.normalize("NFKC", text[:4_000])))[:MAX_TOKENS]
    cased = _cased(tokens)
    found: list[tuple[str, str, int, tuple[str, ...]]] = []
    since_not, gap, before = 9, list[str](), ""
    for token, case in zip(tokens, cased, strict=True):
        word = token.casefold().replace("’", "'")
        since_not = 0 if _NOT.match(word) else since_not + 1
        if _BREAK.match(token):
            found.append(_PAUSE)
            since_not, gap = 9, []
        elif found and found[-1][1] and _joins(before, word):
            found[-1] = (found[-1][0] + "_" + word, found[-1][1] + " " + word, *found[-1][2:])
        elif word not in dropped and not _NOT.match(word) and (len(word) > 2 or word in _SAME or not word.isascii()):
            if len(gap) > _FAR and found:
                found.append(_PAUSE)
            word = _SAME.get(word, word).removesuffix("'s")
            shown = word[:12] if _WIDE.search(word) else word[:24]
            marks = ("not_", "not ") if since_not <= 2 else ("", "")
            found.append((marks[0] + stem(word), marks[1] + shown, case, tuple(gap)))
            since_not, gap = 9, []
        else:
            gap.append(word)
        before = word
    return Words(*zip(*found, strict=True)) if found else Words((), (), (), ())


def messages_of(texts: Sequence[str]) -> list[Words]:
    """The words of the messages: telling ones; greetings too where half the messages have hardly others, all where they have none."""
    read: list[Words] = []
    for levels in ((True, True), (True, False), (False, False)):
        read = [words_of(text, *levels) for text in texts]
        if sum(len(words.stems) - words.stems.count("") > (1 if levels[1] else 0) for words in read) > 0.5 * len(read):
            break
    return read


def read(messages: Sequence[Words], values: frozenset[str]) -> Reading:
    """Collect words and phrases; phrases are read with and without slot values between their words."""
    found = Reading(max(1, len(messages)), {}, {}, {}, {}, {})
    for place, words in enumerate(messages):
        bit = 1 << place
        for word in {*words.stems} - {""}:
            found.words[word] = found.words.get(word, 0) | bit
        telling = list(zip(words.stems, words.surfaces, map(link, words.gaps), strict=True))
        _read_phrases(found, telling, bit)
        if not values.isdisjoint(words.stems):
            _read_phrases(found, [word for word in telling if word[0] not in values], bit)
    return found


def _read_phrases(found: Reading, telling: Sequence[tuple[str, str, str | None]], bit: int) -> None:
    """Note one message's words, its phrases of two and three, and pairs around another word."""
    for start in range(len(telling)):
        for size in (1, 2, 3):
            chosen = telling[start : start + size]
            stems = tuple(word[0] for word in chosen)
            if len(chosen) < size or "" in stems:
                break
            links = [word[2] for word in chosen[1:]]
            after = telling[start + size] if start + size < len(telling) else ("", "", "")
            cut_short = any(links) and after[0] != "" and after[2] == ""  # for my cancelled | order
            if len(set(stems)) == size and (size < 3 or None not in links) and not cut_short:
                form = (chosen[0][1], *(f"{link} {form}" if link else form for _, form, link in chosen[1:]))
                found.forms.setdefault(stems, Counter())[form] += 1 if None in links else _AS_IS
                if size > 1:
                    messages = found.linked if any(link != "" for link in links) else found.phrases
                    messages[stems] = messages.get(stems, 0) | bit
            if size == 3 and stems[0] != stems[2]:
                found.loose[stems[::2]] = found.loose.get(stems[::2], 0) | bit


def _cased(tokens: list[str]) -> list[int]:
    """Per token what its writing tells (see Words.cased): nothing at the start of a sentence, in German, in messages all in capitals."""
    starts = [place == 0 or bool(_BREAK.match(tokens[place - 1])) for place in range(len(tokens))]
    inner = [token for token, first in zip(tokens, starts, strict=True) if not first and token.isalpha() and len(token) > 3]
    shouted = len(inner) > 2 and sum(token[0].isupper() for token in inner) > 0.6 * len(inner)
    if shouted or _language(tokens) == "german":
        return [0] * len(tokens)
    return [
        0 if first or (len(token) > 1 and token.isupper()) else 1 if token[0].isupper() else -1
        for token, first in zip(tokens, starts, strict=True)
    ]


def slot_values(messages: Iterable[Words]) -> frozenset[str]:
    """Stems that fill slots, such as names of places, people and products.

    They are mostly written with a capital within sentences, or stand bare after different prepositions of place:
    `to china`, `in china`, `from china`.
    """
    total, capital, small = Counter[str](), Counter[str](), Counter[str]()
    placed: dict[str, Counter[str]] = {}
    for words in messages:
        for word, case, gap in zip(words.stems, words.cased, words.gaps, strict=True):
            total[word] += 1
            if case:
                (capital if case > 0 else small)[word] += 1
            if gap and gap[-1] in _PLACE:
                placed.setdefault(word, Counter())[gap[-1]] += 1
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


def link(gap: tuple[str, ...]) -> str | None:
    """What stands between two telling words: "" for nothing but articles, a lone preposition, None for anything else.

    >>> link(("the",)), link(("on", "my")), link(("because", "of", "the"))
    ('', 'on', None)
    """
    rest = [word for word in gap if word not in _ARTICLES]
    return "" if not rest else rest[0] if len(rest) == 1 and rest[0] in _LINKS else None


@cache
def telling_stems(name: str) -> frozenset[str]:
    """The stems of a name's words, prepositions apart."""
    words = name.split("_")
    return frozenset(stem(word) for word in words if word not in _LINKS) or frozenset(words)


@cache
def stem(word: str) -> str:
    """A rough stem that joins the forms of an English word: `charges`, `charged`, `charge`.

    >>> [stem(w) for w in ("charges", "charged", "cancelling", "cancel", "deliveries", "delivery")]
    ['charg', 'charg', 'cancel', 'cancel', 'deliver', 'deliver']
    """
    for ending in ("ies", "ied", "ing", "ed", "es", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "ay", "ey", "oy")):
            word = word[: -len(ending)]
            break
    doubled = len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls"
    if doubled or (len(word) > 5 and word.endswith("ll")):
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 4 else word


def language_of(text: str) -> str:
    """English, or the other language most of whose small words stand in the text; no more than a guess."""
    return _language(_TOKEN.findall(text[:500]))


def _language(tokens: list[str]) -> str:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = {token.casefold() for token in tokens}
    counts = {language: len(words & small) for language, small in _SMALL_WORDS.items()}
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] > len(words & ENGLISH_STOP_WORDS) else "english"


def emoji_words(text: str) -> list[str]:
    """Plain words for the first pictographs of a text, e.g. thumbs, up, sign."""
    names = [unicodedata.name(c, "") for c in text if unicodedata.category(c) == "So"]
    return [w.lower() for name in names[:1] for w in re.findall(r"[A-Z]{2,}", name) if w not in ("WITH", "AND", "FACE")][:3]
