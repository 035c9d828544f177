"""What every server process needs: a port that is free, and an end when whoever started it is gone."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def with_parent() -> list[str]:
    """Where there is setpriv, the server goes when whoever started it is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def end(process: subprocess.Popen[bytes] | None) -> None:
    """End a server by its process, and wait. None: somebody else runs it."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)


def kill(process: subprocess.Popen[bytes] | None) -> None:
    """kill -9, and wait. None: somebody else runs it."""
    if process is not None:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
