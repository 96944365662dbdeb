"""What a mail says, as plain text. PURE."""

from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser

_BREAKS = {"br", "p", "div", "td", "th", "tr", "li", "table", "h1", "h2", "h3", "h4", "pre", "hr"}
_HIDDEN = {"script", "style", "head", "title"}
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


def texts(message: EmailMessage) -> Iterator[str]:
    """Its parts that people read, plain ones first, with what cannot be seen left out."""
    parts = [part for part in message.walk() if part.get_content_maintype() == "text" and not part.is_attachment()]
    for part in sorted(parts, key=lambda part: part.get_content_subtype() != "plain"):
        if part.get_content_subtype() in ("plain", "html"):
            text = part.get_content()
            seen = _without_tags(text) if part.get_content_subtype() == "html" else text
            yield seen.translate(_INVISIBLE)


def _without_tags(html: str) -> str:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return "".join(reader.pieces)


class _Reader(HTMLParser):
    """Collects what would be shown; tags inside a line vanish, so that a marked-up word stays one."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag in _BREAKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BREAKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)
