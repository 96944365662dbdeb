"""Paths: what they are called, which fields and operations they have, and who answers. PURE."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from http import HTTPStatus
from typing import Any

from vault_plugin_sdk.framework import paging
from vault_plugin_sdk.framework.fields import Field, parse, unknown_field
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation, Request
from vault_plugin_sdk.logical.response import Response

NAME = re.compile(r"\w(?:[\w.-]*\w)?", re.ASCII)
MAX_NAME = 128
_LONGEST_PATH = 100  # in a sentence: it may be as long as the request
_MAX_UNKNOWN = 10  # unknown fields that are named: finding the nearest name costs time
WRITES = frozenset({Operation.CREATE, Operation.UPDATE, Operation.PATCH})
_LISTS = frozenset({Operation.LIST, Operation.SCAN})

# Called with (context, caller, **path names and fields). Answers a Response, None, or an awaitable of either.
Handler = Callable[..., Any]


@dataclass(frozen=True)
class Description:
    """All that can be said of a path without its handlers.

    Attributes:
        pattern: A template such as `static-roles/{name}`; each `{…}` is one segment that is a name.
        help: One sentence.
        fields: Fields of its writes, without the names in the pattern; an unknown one is refused.
        tolerant: An unknown field is left out with a warning: for writers that may be of another release.
        query: Parameters of its reads, lists and deletes; an unknown one is a warning. A list also takes `after` and
            `limit`: what its handler answers is cut to them, unless they are declared here, and so the handler's.
        detail: Further text for path-help: what to know, and what to do next.
        examples: Command lines for path-help, as somebody would type them.
        operations: What may be asked of it, for OpenAPI where somebody else has the handlers; empty leaves it to them.
    """

    pattern: str
    help: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    query: Mapping[str, Field] = field(default_factory=dict)
    detail: str = ""
    examples: Sequence[str] = ()
    operations: Collection[Operation] = ()
    tolerant: bool = False

    @property
    def collection(self) -> str:
        """The path that a list of these is asked at, with its slash: `static-roles/`, `sets/{set}/members/`."""
        return self.pattern.rpartition("{")[0] if self.pattern.endswith("}") else self.pattern

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the pattern."""
        return tuple(_NAMED.findall(self.pattern))

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Matches a path of this pattern; the segments are not yet checked to be names."""
        return _matching(self.pattern)

    @cached_property
    def collection_regex(self) -> re.Pattern[str]:
        """Matches the collection's path, with or without its slash, likewise."""
        return _matching(self.collection.rstrip("/"), "/?")


_NAMED = re.compile(r"\{(\w+)\}")


def _matching(pattern: str, end: str = "") -> re.Pattern[str]:
    parts = _NAMED.split(pattern)
    names = (f"(?P<{part}>[^/]*)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    return re.compile("".join((*names, end)))


@dataclass(frozen=True)
class Path:
    """A path with its handlers. A handler for UPDATE also takes CREATE, where that has none of its own.

    Raises: ValueError: The description names other operations than there are handlers for.
    """

    description: Description
    handlers: Mapping[Operation, Handler]

    def __post_init__(self) -> None:
        declared, handled = set(self.description.operations), set(self.handlers)
        if declared and (handled - declared or {item for item in declared if self.handler(item) is None}):
            raise ValueError(f"{self.description.pattern}: {sorted(declared)} are declared, {sorted(handled)} handled")

    @property
    def operations(self) -> Collection[Operation]:
        """What may be asked of it."""
        return self.description.operations or self.handlers.keys()

    def handler(self, operation: Operation) -> Handler | None:
        """Who answers `operation`."""
        instead = Operation.UPDATE if operation is Operation.CREATE else operation
        return self.handlers.get(operation) or self.handlers.get(instead)


@dataclass(frozen=True)
class Match:
    """A request that found its handler, with its arguments coerced."""

    path: Path
    handler: Handler
    arguments: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    page: paging.Page = paging.ALL

    def call(self, context: Any, caller: Caller) -> Any:
        """Call the handler; its answer, or an awaitable of it, comes back as it is."""
        return self.handler(context, caller, **self.arguments)

    def answer(self, response: Response | None) -> Response:
        """The handler's answer with this match's warnings; of a list the page that was asked for."""
        response = self.page.of(response or Response())
        return replace(response, warnings=(*response.warnings, *self.warnings)) if self.warnings else response


class Router:
    """Finds the path of a request. The first path that matches wins.

    Args:
        paths: Those with handlers here.
        others: Paths that somebody else answers, so that a misspelt path is told the nearest of all.
    """

    def __init__(self, paths: Iterable[Path], others: Iterable[Description] = ()) -> None:
        self.paths = tuple(paths)
        self._described = (*(path.description for path in self.paths), *others)

    def find(self, path: str, operation: Operation) -> tuple[Path, dict[str, str]] | None:
        """The path and the names in it, or None. A list is found by its collection's path, with or without slash."""
        if operation not in _LISTS:
            return self._matching(path, self.paths)
        for candidate in self.paths:
            found = candidate.description.collection_regex.fullmatch(path)
            if found and operation in candidate.handlers:
                return candidate, found.groupdict()
        # A path that has no list is told apart from one that does not exist. The server adds a slash to each list.
        others = [candidate for candidate in self.paths if operation not in candidate.handlers]
        return self._matching(path, others) or self._matching(path.rstrip("/"), others)

    @staticmethod
    def _matching(path: str, candidates: Iterable[Path]) -> tuple[Path, dict[str, str]] | None:
        for candidate in candidates:
            if found := candidate.description.regex.fullmatch(path):
                return candidate, found.groupdict()
        return None

    def resolve(self, request: Request) -> Match:
        """Find the handler and coerce the fields; calls nothing.

        Raises: CallerError: 404 no such path, 405 not this operation, 400 a bad name, a bad or unknown field.
        """
        found = self.find(request.path, request.operation)
        if found is None:
            raise no_such_path(request.path, self._described)
        path, names = found
        handler = path.handler(request.operation)
        if handler is None:
            raise CallerError(
                f"{request.operation} is not supported at {path.description.pattern}, which takes "
                + ", ".join(operation for operation in Operation if operation in path.operations),
                status=HTTPStatus.METHOD_NOT_ALLOWED,
            )
        for name, value in names.items():
            check_name(name, value)
        writes = request.operation in WRITES
        fields = path.description.fields if writes else path.description.query
        pages = {} if request.operation not in _LISTS else {n: f for n, f in paging.QUERY.items() if n not in fields}
        given = {name: value for name, value in request.data.items() if name not in names}
        values, unknown = parse({**fields, **pages}, given, patch=request.operation is Operation.PATCH)
        page = paging.Page(**{name: values.pop(name) for name in pages})
        sentences = tuple(unknown_field(name, {**fields, **pages}) for name in unknown[:_MAX_UNKNOWN])
        if sentences and writes and not path.description.tolerant:
            raise CallerError("; ".join(sentences))
        return Match(path, handler, names | values, sentences, page)


def no_such_path(path: str, descriptions: Iterable[Description] = ()) -> CallerError:
    """The answer to a request for a path that the mount does not have, with the nearest of `descriptions`: 404."""
    path = path[:_LONGEST_PATH]
    near = _nearest(path, [item.pattern for item in descriptions])
    hint = f"; did you mean {near!r}?" if near else ""
    return CallerError(f"there is no path {path!r} at this mount{hint}", status=HTTPStatus.NOT_FOUND)


def _nearest(path: str, patterns: Sequence[str]) -> str | None:
    """The pattern that begins with the word nearest to the path's first, and is as long as the path if one is."""
    first, slashes = path.partition("/")[0], path.rstrip("/").count("/")
    near = difflib.get_close_matches(first, {pattern.partition("/")[0] for pattern in patterns}, n=1)
    found = [pattern for pattern in patterns if near and pattern.partition("/")[0] == near[0]]
    return min(found, key=lambda pattern: abs(pattern.count("/") - slashes), default=None)


def check_name(what: str, value: str) -> None:
    """Raises CallerError 400 unless `value` is a name: letters, digits, `_`, and inside also `-` and `.`."""
    if len(value) > MAX_NAME or not NAME.fullmatch(value):
        raise CallerError(
            f"{what} must be 1 to {MAX_NAME} letters, digits, '_', '-' or '.', and begin and end with a letter or digit"
        )
