"""The jars of a server: fetched once with Maven by its profile in ``pom.xml``, kept in the user's cache directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")

#: Maven has this long; a slow line needs minutes for 150 MB.
FETCH_TIMEOUT_S = 900


class ServerUnavailable(Exception):
    """A real server cannot be started on this machine; the message says what is missing."""


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/kg-aiops``, by default below ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kg-aiops"


def version_of(profile: str) -> str:
    """The version that ``pom.xml`` gives for the server of ``profile``."""
    found = re.search(rf"<{profile}\.version>([^<]+)</", POM.read_text("utf-8"))
    if found is None:
        raise ServerUnavailable(f"{POM} names no version of {profile}")
    return found.group(1)


def java() -> str:
    """The java command. Raises ServerUnavailable."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if found is None:
        raise ServerUnavailable("java is missing: install a JDK 17 (Debian: openjdk-17-jre-headless)")
    return found


def jars(profile: str) -> Path:
    """The folder with the jars of ``profile``, filled on the first call. Raises ServerUnavailable."""
    folder = cache_folder() / f"{profile}-{version_of(profile)}"
    if any(folder.glob("*.jar")):
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerUnavailable("mvn is missing: install Maven (Debian: maven), it fetches the server once")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{profile}-") as partial:
        command = [maven, "-q", "-B", "-f", str(POM), "-P", profile, "dependency:copy-dependencies"]
        options = ["-DincludeScope=runtime", f"-DoutputDirectory={partial}/lib"]
        done = subprocess.run(  # noqa: S603 (fixed command)
            [*command, *options], capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False
        )
        if done.returncode:
            raise ServerUnavailable(
                f"Maven could not fetch {profile}: {done.stdout[-800:]}{done.stderr[-400:]}"
            )
        if not any(folder.glob("*.jar")):  # another run may have been faster
            Path(partial, "lib").rename(folder)
    return folder
