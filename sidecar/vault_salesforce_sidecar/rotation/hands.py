"""Many small reads, several at a time: what a start costs is the time that Vault takes to answer."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")

HANDS: Final = 16
FEW: Final = 16  # done by one hand


def each(work: Callable[[Item], object], items: Sequence[Item]) -> None:
    """Do `work` for each item, in no order.

    Raises: What `work` raises; what has not begun by then is left undone.
    """
    if len(items) <= FEW:
        for item in items:
            work(item)
        return
    failed = threading.Event()

    def share(hand: int) -> None:
        for item in items[hand::HANDS]:
            if failed.is_set():
                return
            try:
                work(item)
            except BaseException:
                failed.set()
                raise

    with ThreadPoolExecutor(HANDS, thread_name_prefix="reading") as pool:
        for done in [pool.submit(share, hand) for hand in range(HANDS)]:
            done.result()
