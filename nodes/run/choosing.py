"""The model of the graph chooses among the candidates of a search, and edits its choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ...pez_core.applications.word_edits import Proposer
from ...pez_core.errors import PezError, first_line
from ...pez_core.painter.choosing import chosen_by, edits_of, improved_by
from ...pez_core.prompt import LearnedPrompt
from ...pez_core.text.edits import split_words
from ...pez_core.text.vocabulary import clip_vocabulary
from ..doing import say
from ..models.memory import out_of_memory
from ..notes import joined_notes
from .denoising import GraphErrors, GraphPainter, Typed, sized
from .live import LiveSearch


@dataclass(frozen=True)
class Chooser:
    """What chooses among the candidates of a search, and the image that it sees. edits: of its
    choice that it may take."""

    painter: GraphPainter
    image: Tensor
    edits: int = 0

    def seen(self, seed: int) -> Typed:
        """The picture, as the painter sees it. Raises what `GraphErrors` raises."""
        say("paint")
        return Typed(GraphErrors(self.painter, sized(self.image), seed))


def chosen_by_graph(
    learned: LearnedPrompt,
    seen: Typed,
    edits: int,
    proposed: Callable[[], Proposer],
    live: LiveSearch,
) -> tuple[LearnedPrompt, str]:
    """The candidates in the order of the graph's own model, the best after its edits, and how sure
    it is."""
    live.weighing("choose")
    about = {"pipeline": "the graph's"}
    note = ""
    try:
        learned = chosen_by(seen, learned, about, callback=lambda _: live.weighing("choose"))
        if edits and learned.best.error is not None and not live.finish:
            learned = improved_by(
                seen,
                learned,
                lambda text: proposed().edits(text),
                lambda text: proposed().scored(text),
                edits,
                callback=lambda _, __: live.weighing("edit"),
            )
    except (PezError, RuntimeError) as error:  # what was learned is not lost
        if not (isinstance(error, PezError) or out_of_memory(error)):
            raise
        note = f"the model you paint with could not go on: {first_line(error)}"
    if learned.best.error is None:
        return learned, note
    tied = learned.settings["painter"]["tied"]
    chosen = (
        f"chosen by the model you paint with, which cannot tell the first {tied} apart"
        if tied > 1
        else "chosen by the model you paint with"
    )
    return learned, joined_notes(chosen, f"error {learned.best.error:.3f}", note)


def is_edited(learned: LearnedPrompt) -> bool:
    """Whether the best prompt differs from that of the search."""
    return bool((edits_of(learned) or {}).get("edits"))


def places(text: str, kept: frozenset[str]) -> frozenset[int]:
    """The positions of the tokens of some words, given in lower case."""
    words = split_words(text, clip_vocabulary())
    owners = [word.text.lower() for word in words for _ in word.ids]
    return frozenset(place for place, owner in enumerate(owners) if owner in kept)
