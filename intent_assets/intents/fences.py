"""Text of traces inside a prompt: data between fences that no text can close, because every bracket in it is escaped."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

# They become brackets where a reader does not mind the width of characters.
_WIDE_BRACKETS = {char: f"&#{ord(char)};" for char in "＜＞﹤﹥"}
_HIDDEN = frozenset({"Cc", "Cf", "Cs"})  # controls; marks of direction, zero-width and tag characters; halves of a character
_JOINERS = "\u200c\u200d"  # zero-width characters that words and emoji are written with
_STRAY_JOINER = re.compile(f"(?<![^\x00-\x7f])[{_JOINERS}]+")
_NOT_WORD = re.compile(r"\W+")

CUT_MARGIN = 500  # characters beyond a cut that are cleaned with the text: personal data across the cut would not be recognised


def fenced(tag: str, text: str, **attributes: str) -> str:
    """`<tag name="value">text</tag>` with everything in it escaped."""
    return f"{opening(tag, **attributes)}{_escaped(text)}</{tag}>"


def opening(tag: str, **attributes: str) -> str:
    """`<tag name="value">` with everything in it escaped."""
    said = "".join(f" {name}={quoteattr(visible(value), _WIDE_BRACKETS)}" for name, value in attributes.items())
    return f"<{tag}{said}>"


def block(tag: str, lines: Sequence[str]) -> str:
    """Lines that are fenced already, in an element of their own."""
    return "\n".join([f"<{tag}>", *lines, f"</{tag}>"])


def one_line(text: str) -> str:
    """What the user set, as part of a sentence of the instructions: on one line, and no tag of ours."""
    return " ".join(_escaped(text).split())


def visible(text: str) -> str:
    """Without characters that nobody sees.

    They hide what is written, from people and from patterns: an address with one of them in its middle is not known as an address.
    """
    if text.isprintable():
        return text
    return _STRAY_JOINER.sub("", "".join(char for char in text if not _is_hidden(char)))


def conversation(turns: Sequence[Mapping[str, str]]) -> str:
    """Turns of a conversation, one line each: `user: …`, `assistant: …`. What is said in a turn begins no other one."""
    return "\n".join(f"{_role(turn['role'])}: {' '.join(turn['content'].split())}" for turn in turns if turn["content"])


def _role(name: str) -> str:
    """A role is whatever the application wrote; only its words are kept, as one."""
    return _NOT_WORD.sub("_", name).strip("_")


def _escaped(text: str) -> str:
    return escape(visible(text), _WIDE_BRACKETS)


def _is_hidden(char: str) -> bool:
    if char in "\n\t" or char in _JOINERS:
        return False
    return unicodedata.category(char) in _HIDDEN or ord(char) & 0xFFFE == 0xFFFE  # the latter are no characters
