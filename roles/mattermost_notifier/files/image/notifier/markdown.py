# Copyright (c) 2026, The mooring.stack authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wrote, so that it stays text in a message: it calls nobody and ends nothing.

Mattermost reads a message three times: incoming webhooks replace Slack's ``<!channel>`` and
``<url|text>`` wherever they stand, the server looks for mentions outside of code after it has
replaced HTML's entities, and the client reads Markdown, in which a backslash escapes some
punctuation only. So where a backslash does not help, a character that is not seen follows the
one that would mean something.
"""

from __future__ import annotations

import re
import unicodedata

# U+2060: takes no room, and no line breaks there.
JOINER = "\u2060"
ELLIPSIS = "\u2026"
# What all of Mattermost's clients let a backslash escape, and what would be Markdown within a line.
_ESCAPED = re.compile(r"[\\`*_\[\]~|#>]")
# Mentions (also within a word, for clients that look for no more), Slack's forms, entities, emoji, URLs without
# brackets, formulas.
_ACTIVE = re.compile(r"[@<&:$]|www(?=\.)", re.IGNORECASE)
_FENCE = re.compile(r"``(?=`)")
_TICKS = re.compile(r"`(?=`)")
# Characters that belong to the one before them: marks, joiners, variation selectors, skin tones.
_EXTENDS = re.compile(r"[\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")
_FLAG = re.compile(r"[\U0001f1e6-\U0001f1ff]")
_URL = re.compile(r"https?://[^\s\x00-\x20<>\"\\^`{|}]{1,2000}", re.IGNORECASE)


def clean(text: str) -> str:
    """Without what cannot be seen or sent: control characters, changes of direction, halves of surrogates."""
    kept = []
    for character in text.replace("\r\n", "\n").replace("\r", "\n"):
        category = unicodedata.category(character)
        if category == "Cs":
            kept.append("\ufffd")
        elif character in "\n\t" or category not in ("Cc", "Cf") or character == "\u200d":
            kept.append(character)
    return "".join(kept)


def one_line(text: str) -> str:
    """The same with each run of white space as one space."""
    return " ".join(clean(text).split())


def cut(text: str, length: int) -> str:
    """At most ``length`` characters; what is cut ends with an ellipsis, and never within what is seen as one."""
    if len(text) <= length:
        return text
    end = max(length - 1, 0)
    while end > 0 and _continues(text, end):
        end -= 1
    return text[:end].rstrip() + ELLIPSIS if length > 0 else ""


def _continues(text: str, index: int) -> bool:
    """Whether the character at ``index`` is shown as one with the one before it."""
    before, here = text[index - 1], text[index]
    if before == "\u200d" or unicodedata.combining(here) or _EXTENDS.match(here):
        return True
    if unicodedata.category(here) in ("Mn", "Mc", "Me") or "\u1160" <= here <= "\u11ff":
        # Marks, and vowels and finals of Hangul that was written in parts.
        return True
    if _FLAG.match(here):
        # A flag is two letters, counted from where the run of letters begins.
        run = re.search(r"[\U0001f1e6-\U0001f1ff]*\Z", text[:index])
        return run is not None and len(run[0]) % 2 == 1
    return False


def plain(text: str, length: int) -> str:
    """One line of text as it was written, at most ``length`` characters of it."""
    escaped = _ESCAPED.sub(lambda found: "\\" + found[0], cut(one_line(text), length))
    return _ACTIVE.sub(lambda found: found[0] + JOINER, escaped)


def code(text: str, length: int) -> str:
    """A code span, in which nothing is a mention or Markdown; "" for no text."""
    kept = cut(one_line(text), length).replace("<", "<" + JOINER)
    if not kept:
        return ""
    # Runs of them would ask for longer runs around, and three are a block where a line begins.
    kept = _TICKS.sub("`" + JOINER, kept)
    ticks = "``" if "`" in kept else "`"
    pad = " " if kept.startswith("`") or kept.endswith("`") else ""
    return f"{ticks}{pad}{kept}{pad}{ticks}"


def block(text: str, length: int) -> str:
    """A block of code of several lines; "" for no text."""
    kept = cut(clean(text).strip(), length).replace("<", "<" + JOINER)
    if not kept:
        return ""
    kept = _FENCE.sub(lambda found: found[0] + JOINER, kept)
    return f"```text\n{kept}\n```"


def link(text: str, url: str) -> str:
    """``[text](url)`` with text that was made by :func:`plain`; the text alone where the URL is none."""
    if not _URL.fullmatch(url) or clean(url) != url:
        return text
    safe = url.replace("(", "%28").replace(")", "%29").replace("[", "%5B").replace("]", "%5D")
    return f"[{text}]({safe})"
