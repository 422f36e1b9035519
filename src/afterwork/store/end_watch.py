"""Watching for the ends of tickets, for those who wait for some. Whatever wakes a server in this database serves."""

from collections.abc import Collection

from afterwork.store.waker import Waker


class EndWatch:
    """Wakes one thread when tickets that it waits for may have ended.

    Where PostgreSQL can't notify, servers poll, and so does this.
    """

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self.wake = waker.wake

    def add(self, keys: Collection[str]) -> None:
        """Ask to be woken when tickets with these keys end. Whoever looks at them after this misses no end."""

    def remove(self, keys: Collection[str]) -> None:
        """Ask no more for these tickets."""

    def wait(self, seconds: float) -> bool:
        """Wait until tickets may have ended, `wake` is called by any thread, or the time is over. Return True to look
        at them."""
        return self._waker.wait(seconds) == "new work"

    def close(self) -> None:
        """Release the resources of the watch."""
        self._waker.close()
