"""The part of SOQL that programs use to look after users: SELECT, WHERE with AND, ORDER BY, LIMIT. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from .faults import FaultError

Literal: TypeAlias = "str | bool | int | float | datetime | None"

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+\- ]\d{2}:?\d{2}))
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_COMPARISONS = {"=", "!=", "<>", "<", "<=", ">", ">="}


@dataclass(frozen=True)
class Condition:
    """`field comparison literal`, or `field IN (literals)`."""

    field: str
    comparison: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True)
class Query:
    """A query that was read: every condition must hold."""

    fields: tuple[str, ...]
    table: str
    conditions: tuple[Condition, ...] = ()
    order_by: str | None = None
    descending: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        FaultError: MALFORMED_QUERY, with what was expected.
    """
    try:
        return _parsed(text)
    except ValueError as error:  # a number or a time that cannot be
        raise FaultError("MALFORMED_QUERY", "a number or a time is out of bounds") from error


def _parsed(text: str) -> Query:
    reader = _Reader(_tokens(text))
    reader.expect("SELECT")
    fields = [reader.word()]
    while reader.accept(","):
        fields.append(reader.word())
    reader.expect("FROM")
    table = reader.word()
    conditions = []
    if reader.accept("WHERE"):
        conditions.append(reader.condition())
        while reader.accept("AND"):
            conditions.append(reader.condition())
    order_by, descending = None, False
    if reader.accept("ORDER"):
        reader.expect("BY")
        order_by = reader.word()
        descending = reader.accept("DESC")
        if not descending:
            reader.accept("ASC")
    limit = int(reader.take("number", "a number").text) if reader.accept("LIMIT") else None
    reader.end()
    return Query(tuple(fields), table, tuple(conditions), order_by, descending, limit)


class _Reader:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._place = 0

    def accept(self, text: str) -> bool:
        token = self._next()
        found = token is not None and token.kind in {"word", "sign"} and token.text.upper() == text
        self._place += found
        return found

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self._unexpected(text)

    def take(self, kind: str, what: str) -> _Token:
        token = self._next()
        if token is None or token.kind != kind:
            raise self._unexpected(what)
        self._place += 1
        return token

    def word(self) -> str:
        return self.take("word", "a name").text

    def condition(self) -> Condition:
        name = self.word()
        if self.accept("IN"):
            self.expect("(")
            literals = [self.literal()]
            while self.accept(","):
                literals.append(self.literal())
            self.expect(")")
            return Condition(name, "IN", tuple(literals))
        comparison = self.take("sign", "a comparison").text
        if comparison not in _COMPARISONS:
            raise self._unexpected("a comparison")
        return Condition(name, "!=" if comparison == "<>" else comparison, (self.literal(),))

    def literal(self) -> Literal:
        token = self._next()
        self._place += 1
        if token is not None and token.kind == "string":
            return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[1]), token.text[1:-1])
        if token is not None and token.kind == "datetime":
            # A plus sign that was not escaped in the address arrives as a blank.
            return datetime.fromisoformat(token.text.replace(" ", "+"))
        if token is not None and token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        words: dict[str, Literal] = {"true": True, "false": False, "null": None}
        if token is not None and token.kind == "word" and token.text.lower() in words:
            return words[token.text.lower()]
        raise self._unexpected("a value")

    def end(self) -> None:
        if self._next() is not None:
            raise self._unexpected("the end")

    def _next(self) -> _Token | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _unexpected(self, wanted: str) -> FaultError:
        token = self._next()
        found = f"'{token.text}'" if token else "the end"
        return FaultError("MALFORMED_QUERY", f"unexpected {found}, expecting {wanted}")


def _tokens(text: str) -> list[_Token]:
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise FaultError("MALFORMED_QUERY", f"unexpected character at position {place}")
        tokens.append(_Token(match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return tokens
