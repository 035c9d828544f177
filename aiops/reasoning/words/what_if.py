"""What would be without the first cause, and what taking it out of service would touch."""

from __future__ import annotations

from aiops.domain.explanation import Sentence
from aiops.reasoning.words.boxes import NAMED, kept_id, reached_id
from aiops.reasoning.words.brief import Brief
from aiops.reasoning.words.quantities import counted


def tell_what_if(brief: Brief) -> tuple[Sentence, ...]:
    """Empty where no cause is named."""
    if not brief.causes or brief.first.counterfactual is None:
        return ()
    return (_without(brief), *_isolated(brief))


def _without(brief: Brief) -> Sentence:
    first, found = brief.first, brief.first.counterfactual
    assert found is not None
    name, total = brief.name(first.entity.id), len(first.explained) + len(first.unexplained)
    lost = -found.delta_explained
    noun = brief.noun(total)
    if lost:
        text = f"Without {name}, {lost} of {total} {noun} would have no other explanation"
    else:
        text = f"Without {name}, everything that it explains would have another explanation"
    if found.suspect is not None:
        text += f"; the strongest signs left would be those of {brief.name(found.suspect)}"
    counted = brief.book.count(
        "counterfactual",
        f"{lost} of {total} {noun} have no other explanation than {name}"
        + (f"; strongest signs left: {brief.name(found.suspect)}" if found.suspect is not None else ""),
        lost,
        total,
        members=found.only,
        entity=first.entity.id,
    )
    return Sentence(text, (counted,))


def _isolated(brief: Brief) -> tuple[Sentence, ...]:
    """Taking an element out of service does to the others what its failure does; redundancy counts as it is now."""
    reached = brief.consequences
    name = brief.name(brief.first.entity.id)
    if not reached.reached and not reached.kept:
        nobody = brief.book.count("reached", f"nothing else depends on {name} as far as is known", 0)
        return (
            Sentence(f"Taking {name} out of service would touch nothing else, as far as is known", (nobody,)),
        )
    well = [entity for entity in reached.reached if entity not in frozenset(reached.suffering)]
    said = []
    if well:
        text = f"Taking {name} out of service may also hit {counted(len(well), 'entity')} without symptoms so far"
        text += f": {brief.names.some(well, NAMED)}"
        at_risk = brief.book.count(
            "at risk",
            f"reached by {name} and without symptoms: {brief.names.some(well, 40)}",
            len(well),
            members=well,
            entity=brief.first.entity.id,
        )
        said.append(Sentence(text, (at_risk,)))
    elif reached.reached:
        text = f"Taking {name} out of service would hit nobody who does not suffer already"
        said.append(Sentence(text, (reached_id(brief),)))
    if reached.kept:
        text = f"{brief.names.some(reached.kept, NAMED)} would go on over the redundant way"
        said.append(Sentence(text, (kept_id(brief),)))
    return tuple(said)
