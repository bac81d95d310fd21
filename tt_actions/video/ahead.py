"""Work that a separate thread does in advance."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item], num_items: int) -> Iterator[Item]:
    """Iterate over items that a separate thread produces in advance.

    Args:
        items: The items.
        num_items: Maximum number of items produced in advance.

    Yields:
        The items.

    Raises:
        Exception: The error raised while producing an item, when its turn comes.
    """
    remaining, end = iter(items), object()
    thread = ThreadPoolExecutor(1)
    try:
        waiting = deque(thread.submit(next, remaining, end) for _ in range(num_items))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, remaining, end))
            yield cast(Item, item)
    finally:
        thread.shutdown(cancel_futures=True)
