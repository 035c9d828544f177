"""What a process has loaded and will keep until it ends."""

from __future__ import annotations

import gc

#: New objects before the youngest are looked through, and so on. The default of 700 looks dozens of times through the objects of
#: one analysis while they are in use (measured: a tenth of its CPU time); twenty times twenty thousand at once keep every other
#: thread waiting for 114 ms.
COLLECT_AT = (10_000, 5, 160)


def keep_loaded() -> None:
    """Tell the garbage collector that what is loaded by now stays. For the entry points of processes, once each.

    A full collection walks over every object alive. Imported modules, rules and network are some 160,000 of them, so that
    a collection in the middle of an analysis costs more than the analysis itself (measured: 80 ms).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AT)
