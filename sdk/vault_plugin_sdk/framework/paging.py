"""Lists in pages, as clients of newer servers ask for them. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from vault_plugin_sdk.framework.fields import INTEGER, TEXT, Field
from vault_plugin_sdk.logical.response import Response, listing

# Every list takes them, where its path has no parameters of these names itself.
QUERY: Mapping[str, Field] = {
    "after": Field(TEXT, "Begin the list after this key, which need not be there.", default=""),
    "limit": Field(INTEGER, "How many keys to list at most; 0 or less: all.", default=0),
}


@dataclass(frozen=True)
class Page:
    """A part of a list: the keys after `after`, at most `limit` of them (0 or less: all)."""

    after: str = ""
    limit: int = 0

    def of(self, response: Response) -> Response:
        """The answer to a list with the keys of this page alone, sorted; no key at all answers as an empty list."""
        keys = (response.data or {}).get("keys")
        if not keys or not (self.after or self.limit > 0):
            return response
        shown = sorted(key for key in keys if key > self.after)[: self.limit if self.limit > 0 else None]
        info = (response.data or {}).get("key_info") or {}
        return replace(response, data=listing(shown, {key: info[key] for key in shown if key in info}).data)


ALL = Page()
