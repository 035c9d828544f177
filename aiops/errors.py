"""Every error the product raises on purpose, as one tree.

::

    AiopsError
    |- InputError            something that was handed in is wrong
    |  |- ParseError         bytes that do not follow their format
    |  |- RecordingError     a recording folder or file
    |  |- CaseError          a case folder
    |  |- TopologyError      a topology document (JSON pointer)
    |  |- ConfigError        settings and mapping files (file, line)
    |  |- RuleError          a rule pack (file, line)
    |  |- NothingResolved    an incident that names nothing we know
    |- StoreError            a store did not do what was asked
    |  |- StoreUnavailable   cannot be reached now; trying again may help
    |  |- StoreConflict      the stored state forbids the write
    |- ModelError            weights or manifest cannot be used
    |- RuleLimitExceeded     a rule evaluation ran into its bound
    |- BackPressure          full: the sender must slow down and try again

An error says what was wrong, where, and what to do; ``details`` carries the same as data.
"""

from __future__ import annotations

from collections.abc import Mapping


class AiopsError(Exception):
    """Root of the tree. ``message`` is for people, ``hint`` says what to do, ``details`` is data."""

    def __init__(self, message: str, *, hint: str = "", **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: Mapping[str, object] = dict(details)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InputError(AiopsError):
    """Something handed in from outside is wrong; sending it again unchanged will not help."""


class ParseError(InputError):
    """Bytes that do not follow their format. ``details``: ``reason``, ``offset`` (bytes) or ``line``."""


class RecordingError(InputError):
    """A recording that is truncated, corrupt or of another format. ``details``: ``file``, ``offset``."""


class CaseError(InputError):
    """A case folder that breaks ``rca-case/1``. ``details``: ``file``, ``pointer`` or ``line``."""


class TopologyError(InputError):
    """A topology document that cannot be applied. ``details``: ``problems`` = ((pointer, text), ...)."""


class ConfigError(InputError):
    """Settings or a mapping file. ``details``: ``file``, ``line``."""


class RuleError(InputError):
    """A rule pack that is refused. ``details``: ``file``, ``line``, ``rule``."""


class NothingResolved(InputError):
    """An incident whose references match no entity. ``details``: ``references``, ``nearest``."""


class StoreError(AiopsError):
    """A store did not do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be reached now. ``details``: ``retry_after_s``."""


class StoreConflict(StoreError):
    """The stored state forbids the write."""


class ModelError(AiopsError):
    """Weights or manifest are missing, damaged or made for other features."""


class RuleLimitExceeded(AiopsError):
    """A rule evaluation ran into its bound. ``details``: ``limit``, ``rule`` if it is known."""


class BackPressure(AiopsError):
    """Nothing more can be accepted now. ``details``: ``retry_after_s``."""
