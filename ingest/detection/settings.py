"""Parameters of detection and why they are what they are. ``docs/detection.md`` has the measurements behind them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """Of one partition; every bound is for one partition.

    What decides about alarms:

    * ``half_life_s``: after so long half of a new level has become the usual one. An hour: longer than an incident takes to
      be noticed, shorter than the daily rhythm.
    * ``warm_up``: samples (minutes, for lines) before anything is said. Below 30 the scale is too uncertain for its tails.
    * ``clip``: residuals count as at most so many scales, so that one wild sample neither moves the usual level nor makes an
      alarm.
    * ``drift``, ``threshold``: CUSUM adds what a clipped z exceeds ``drift`` and speaks above ``threshold``: three wild
      samples in a row, or a lasting shift of two scales within a dozen.
    * ``far``: an EWMA z this large for two samples in a row speaks at once.
    * ``confirm``: a candidate is an anomaly if the medians before and after its change point differ by so many robust scales.
    * ``calm``, ``calm_samples``: an anomaly ends when z stayed below ``calm`` for so many samples.
    * ``level_floor``: no scale is smaller than this share of the level: a change of that size is nobody's concern.

    What is bounded: ``max_series`` and ``max_kinds`` (entity and template) watched, ``window`` samples remembered of each;
    ``max_open`` anomalies open, ``max_open_per_entity`` of one entity; ``max_new_templates`` told an hour,
    ``max_new_templates_per_entity`` of one entity. What is over a bound is counted. ``idle_s``: what was not heard of for so
    long gives its place away when places are short. ``max_open_s``: what lasts longer is the new normal; ``silent_s``: what is
    not heard of for so long has ended. ``bin_s``, ``late_s``: lines are counted by the minute, which waits so long for late
    ones. ``learning_s``: before it, every template is new.
    """

    half_life_s: float = 3600.0
    warm_up: int = 30
    clip: float = 4.0
    drift: float = 1.0
    threshold: float = 8.0
    far: float = 8.0
    confirm: float = 3.0
    calm: float = 2.0
    calm_samples: int = 4
    level_floor: float = 0.02
    window: int = 32
    max_series: int = 200_000
    max_kinds: int = 100_000
    max_open: int = 2_000
    max_open_per_entity: int = 20
    max_open_s: float = 14_400.0
    idle_s: float = 3_600.0
    silent_s: float = 900.0
    bin_s: float = 60.0
    late_s: float = 30.0
    learning_s: float = 1_800.0
    max_new_templates: int = 200
    max_new_templates_per_entity: int = 10
