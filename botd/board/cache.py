"""What was made lately and is likely to be asked for again: the longest unused is forgotten first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class _Slot(Generic[Value]):
    """The place of one thing, empty until it is made. Its lock is held by who makes it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value: Value | None = None
        self.size = 0


class Cache(Generic[Key, Value]):
    """Things by key: at most `most` of them, and together no larger than `limit`. Safe to use from many threads."""

    def __init__(self, size_of: Callable[[Key, Value], int], *, most: int, limit: int) -> None:
        self._size_of = size_of
        self._most = most
        self._limit = limit
        self._lock = threading.Lock()
        self._slots: OrderedDict[Key, _Slot[Value]] = OrderedDict()

    def find(self, key: Key) -> Value | None:
        """The thing of this key, None where there is none yet."""
        with self._lock:
            if key not in self._slots:
                return None
            self._slots.move_to_end(key)
            return self._slots[key].value

    def put(self, key: Key, value: Value) -> None:
        """Keeps a thing, in the place of what the key stood for."""
        with self._lock:
            slot = self._slots[key] = _Slot()
            self._slots.move_to_end(key)
        self._fill(slot, key, value)

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The thing of this key, made by `make` where there is none; who asks meanwhile waits for it.

        Raises what `make` raises, and keeps nothing then.
        """
        with self._lock:
            slot = self._slots.setdefault(key, _Slot())
            self._slots.move_to_end(key)
        with slot.lock:
            return self._fill(slot, key, make()) if slot.value is None else slot.value

    def _fill(self, slot: _Slot[Value], key: Key, value: Value) -> Value:
        """Puts a thing into its place, and forgets others that there is no room for any more."""
        size = self._size_of(key, value)
        with self._lock:
            slot.value, slot.size = value, size
            while len(self._slots) > self._most or sum(slot.size for slot in self._slots.values()) > self._limit:
                self._slots.popitem(last=False)
        return value
