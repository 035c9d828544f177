"""What systemd is told (sd_notify(3)): a datagram of ``NAME=value`` lines on the socket that ``NOTIFY_SOCKET`` names."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class ServiceManager:
    """Says nothing where nobody listens."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        #: Half of what the manager allows, as it advises; None: no watchdog.
        self.watchdog_s = int(microseconds) / 2e6 if microseconds.isdigit() and mine else None
        self._fed = 0.0

    def ready(self, status: str) -> None:
        self._say(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog, as often as it wants it. Call it often."""
        if self.watchdog_s is not None and time.monotonic() - self._fed >= self.watchdog_s / 2:
            self._fed = time.monotonic()
            self._say("WATCHDOG=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(text.encode(), self._address)
