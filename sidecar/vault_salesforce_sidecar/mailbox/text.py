"""What a mail says, as plain text. PURE."""

from collections.abc import Iterator
from email.message import EmailMessage

from lxml import etree

_BREAKS = {"br", "p", "div", "td", "th", "tr", "li", "table", "h1", "h2", "h3", "h4", "pre", "hr"}
_EMPTY = {"br", "hr"}
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
    """What would be shown; tags inside a line vanish, so that a marked-up word stays one.

    By libxml2, whose time grows with the length of what it reads: that of the standard library's parser may grow with
    its square, and mails come from strangers.
    """
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(html.replace("\0", " ").encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:  # there is nothing in it
        return ""
    pieces: list[str] = []
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if element.tag in _BREAKS and (event == "start" or element.tag not in _EMPTY):
            pieces.append("\n")
        if event == "end":
            pieces.append(element.tail or "")
        elif element.tag in _HIDDEN:
            walk.skip_subtree()
        else:
            pieces.append(element.text or "")
    return "".join(pieces)
