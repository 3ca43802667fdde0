"""How botd's processes end: soon, whoever asks, and none outlives the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import threading

PR_SET_PDEATHSIG = 1
"""linux/prctl.h. Told when the thread that started the process ends, which must therefore be the main one."""

_libc = ctypes.CDLL(None, use_errno=True)


def stop_event(*, within_s: float = 0) -> threading.Event:
    """An event that SIGINT, SIGTERM and SIGHUP set, or the first two under nohup(1), which ignores SIGHUP.

    With `within_s` the kernel ends the process (SIGALRM) where that much later it has not ended by itself.
    """
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()
        signal.setitimer(signal.ITIMER_REAL, within_s)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, end)
    return stop


def hang_up_waits(waits: bool) -> None:
    """Keeps SIGHUP back, also over an exec(3), or lets it through, with the one that has come meanwhile."""
    signal.pthread_sigmask(signal.SIG_BLOCK if waits else signal.SIG_UNBLOCK, {signal.SIGHUP})


def end_with(parent: int) -> None:
    """Has the kernel send SIGTERM to this process when the parent ends, however it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before it could be watched
        os._exit(1)
