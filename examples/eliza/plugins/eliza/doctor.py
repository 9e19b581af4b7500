"""How Eliza talks: she finds the rule that fits best and turns the words round.

The method is that of Joseph Weizenbaum, "ELIZA" (Communications of the ACM 9, 1966): keywords with a
rank, patterns that take a sentence apart, answers that put its parts together again, and a memory for
when nothing fits. The rules, in `script`, are our own.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from . import script
from .script import Rule

LISTENS_TO = 400
"""Characters of a sentence. Nobody listens for longer, and patterns take time."""
REMEMBERS = 5
"""Things said earlier."""


class Reply(NamedTuple):
    """What she says, and whether that was the last of it."""

    text: str
    farewell: bool = False


class Doctor:
    """Eliza in one conversation.

    Args:
        turn: with which of its answers each rule begins.
    """

    def __init__(self, turn: int = 0) -> None:
        self._first_turn = turn
        self._turns: Counter[tuple[str, ...]] = Counter()
        self._memories: deque[str] = deque(maxlen=REMEMBERS)
        self._heard = ""

    def reply(self, sentence: str) -> Reply:
        """Her answer to *sentence*."""
        clauses = tidy(sentence)
        heard = " ".join(clauses).lower()
        repeated, self._heard = heard == self._heard, heard
        if not clauses:
            return Reply(self._next(script.SILENCES))
        if any(pattern.fullmatch(clause) for pattern in _GOODBYES for clause in clauses):
            return Reply(self._next(script.FAREWELLS), farewell=True)
        if repeated:
            return Reply(self._next(script.REPETITIONS))
        return Reply(self._answer(clauses))

    def _answer(self, clauses: list[str]) -> str:
        found = decompose(clauses)
        if found is None:
            return self._memories.popleft() if self._memories else self._next(script.FALLBACKS)
        rule, parts = found
        if rule.memories:
            self._memories.append(_put_together(self._next(rule.memories), parts))
        return _put_together(self._next(rule.answers), parts)

    def _next(self, lines: tuple[str, ...]) -> str:
        """The one of *lines* whose turn it is."""
        turn = self._first_turn + self._turns[lines]
        self._turns[lines] += 1
        return lines[turn % len(lines)]


def introduction(name: str) -> Iterator[str]:
    """What she says first, to somebody of that *name* or of none."""
    name = " ".join(name.split())
    for line in script.INTRODUCTION:
        yield line.format(name=f", {name}" if name else "")


def tidy(sentence: str) -> list[str]:
    """The clauses of *sentence*, contractions spelt out, without punctuation."""
    text = " ".join(sentence[:LISTENS_TO].replace("\u2019", "'").split())
    text = _CONTRACTION.sub(lambda match: script.CONTRACTIONS[match[0].lower()], text)
    clauses = (clause.strip(" '\"()") for clause in _CLAUSE_END.split(text))
    return [clause for clause in clauses if clause]


def decompose(clauses: list[str]) -> tuple[Rule, list[str]] | None:
    """The rule of the highest rank that fits one of *clauses*, and its parts, turned round."""
    for rule, pattern in _RULES:
        for clause in clauses:
            match = pattern.fullmatch(clause)
            if match:
                return rule, [reflect(part.strip()) for part in match.groups()]
    return None


def reflect(part: str) -> str:
    """*part* as the other one would say it: "my cat and you" is "your cat and me"."""
    return _REFLECTION.sub(_turn_round, part)


def _turn_round(match: re.Match[str]) -> str:
    word = match[0].lower()
    if word == "you" and match.end() == len(match.string):
        return "me"  # nothing follows that I could do
    return script.REFLECTIONS[word]


def _put_together(answer: str, parts: list[str]) -> str:
    text = answer.format(*parts)
    return text[0].upper() + text[1:]


def _one_of(words: Iterable[str]) -> str:
    # The longest first, for "i am" goes before "i".
    ordered = sorted(words, key=len, reverse=True)
    return rf"\b({'|'.join(map(re.escape, ordered))})\b"


def _compile(pattern: str) -> re.Pattern[str]:
    """The expression that *pattern* (see `script`) stands for, with a group for each part."""
    return re.compile(r"\s*".join(map(_expression, pattern.split())), re.IGNORECASE)


def _expression(token: str) -> str:
    if token.startswith("@"):
        return _one_of(script.FAMILIES[token[1:]].split())
    return {"*": "(.*?)", "+": r"(\S.*?)"}.get(token, rf"\b{token}\b")


_CLAUSE_END = re.compile(r"[.,;:!?]+(?=\s|$)|\s-+\s|\bbut\b", re.IGNORECASE)
_CONTRACTION = re.compile(_one_of(script.CONTRACTIONS), re.IGNORECASE)
_REFLECTION = re.compile(_one_of(script.REFLECTIONS), re.IGNORECASE)
_RULES = [(rule, _compile(rule.pattern)) for rule in sorted(script.RULES, key=lambda rule: -rule.rank)]
_GOODBYES = [_compile(pattern) for pattern in script.GOODBYES]
