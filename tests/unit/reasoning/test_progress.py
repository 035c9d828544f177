"""What is told of an analysis while it runs."""

from __future__ import annotations

from aiops.domain.progress import STAGES, Progress
from benchmarks.analyses import generated_site, offline_pipeline


def test_every_stage_is_told_once_in_order_and_changes_nothing() -> None:
    pipeline, site = offline_pipeline(), generated_site(50)
    told: list[Progress] = []
    watched = pipeline.analyze_observed(*site, watch=told.append)
    assert watched == pipeline.analyze_observed(*site)
    assert [progress.stage for progress in told] == list(STAGES[1:])
    assert all(
        (progress.entities, progress.alarms) == (len(site[1].entities), len(site[2].alarms))
        for progress in told
    )
    assert told[0].suspects == ()
    scored, ranked = told[1], told[2]
    assert scored.suspects[0].score == 1.0
    assert scored.verdict is None
    assert [suspect.entity for suspect in ranked.suspects] == [
        cause.entity.id for cause in watched.causes[:5]
    ]
    assert [suspect.score for suspect in ranked.suspects] == [
        cause.confidence for cause in watched.causes[:5]
    ]
    assert ranked.verdict == told[3].verdict == watched.verdict
