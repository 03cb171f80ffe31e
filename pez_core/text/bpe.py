"""CLIP's byte-level BPE (Sennrich et al., arXiv 1508.07909), without torch.

It gives the ids of open_clip's `SimpleTokenizer` and reads the same file of merges, from
open_clip's folder. A test compares the two over the whole vocabulary.
But: the marks `<start_of_text>` and `<end_of_text>` are words like any others here. open_clip turns
them into the start and end tokens, and then CLIP reads nothing after them.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import VocabularyError
from ..hub import open_clip_files

MERGES = 48894  # of the lines in the file; every CLIP uses so many
WORD_END = "</w>"
_FILE = "bpe_simple_vocab_16e6.txt.gz"
_SPECIAL = ("<start_of_text>", "<end_of_text>")  # the symbols of the two last ids


class BytePairs:
    """The symbols of the vocabulary, and the splitting of cleaned text into them."""

    def __init__(self, merges: Sequence[str]) -> None:
        """merges: "a b" for each, in the order in which they are done."""
        self.merges = merges
        letters = _byte_letters()
        self._letters = letters
        self._bytes = {letter: byte for byte, letter in enumerate(letters)}
        # The 188 printable bytes come first in the vocabulary, as in the file's own alphabet.
        first = sorted(letters, key=lambda letter: (ord(letter) > 255, ord(letter)))
        self.symbols = [
            *first,
            *(letter + WORD_END for letter in first),
            *(merge.replace(" ", "") for merge in merges),
            *_SPECIAL,
        ]
        self._ids = {symbol: number for number, symbol in enumerate(self.symbols)}
        self._ranks = {merge: rank for rank, merge in enumerate(merges)}  # "a b" → rank
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """The ids of a cleaned text, see `text.reading.clean`."""
        return [number for piece in self._piece.findall(text) for number in self._encoded(piece)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids. But: bytes that are not valid UTF-8 become U+FFFD."""
        letters = "".join(self.symbols[number] for number in ids)
        decoded = bytes(self._bytes[letter] for letter in letters)
        return decoded.decode("utf-8", errors="replace").replace(WORD_END, " ")

    @cached_property
    def _piece(self) -> Any:
        """What a text is cut into before BPE: contractions, letters, single digits, other signs."""
        import regex  # 0.03 s, and only who encodes needs it

        return regex.compile(
            r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", regex.IGNORECASE
        )

    def _encoded(self, piece: str) -> list[int]:
        found = self._known.get(piece)
        if found is None:
            letters = [self._letters[byte] for byte in piece.encode("utf-8")]
            letters[-1] += WORD_END
            found = [self._ids[symbol] for symbol in self._merged(letters)]
            self._known[piece] = found
        return found

    def _merged(self, symbols: list[str]) -> Iterator[str]:
        """The symbols after all merges: always that of the lowest rank, the leftmost first.

        A heap holds the pairs that may be merged, so that n letters take n·log(n) and not n² steps.
        No merge makes a pair of a lower rank than its own: every symbol is made by one merge only,
        which comes before those that use it.
        """
        count = len(symbols)
        after, before = list(range(1, count + 1)), list(range(-1, count - 1))

        def found(place: int) -> tuple[int, int, str, str] | None:
            if place < 0 or after[place] >= count:
                return None
            pair = symbols[place], symbols[after[place]]
            rank = self._ranks.get(" ".join(pair))
            return None if rank is None else (rank, place, *pair)

        heap = [entry for entry in map(found, range(count)) if entry]
        heapify(heap)
        while heap:
            _, place, left, right = heappop(heap)
            gone = after[place]
            if gone >= count or (symbols[place], symbols[gone]) != (left, right):
                continue  # another merge has taken one of the two
            symbols[place], symbols[gone] = left + right, ""
            after[place] = after[gone]
            if after[gone] < count:
                before[after[gone]] = place
            for entry in (found(before[place]), found(place)):
                if entry:
                    heappush(heap, entry)
        return (symbol for symbol in symbols if symbol)


def load_byte_pairs() -> BytePairs:
    """CLIP's own, from the file of merges in open_clip's folder. Raises VocabularyError without
    it, and ModelError without open_clip."""
    open_clip_files.require()
    paths = (Path(folder, _FILE) for folder in open_clip_files.__path__)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise VocabularyError(
            f"{_FILE}, the tokeniser of CLIP, is missing: it comes with open_clip (pip install "
            "--force-reinstall open_clip_torch)"
        )
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return BytePairs([line.rstrip("\n") for line in islice(file, 1, MERGES + 1)])


def _byte_letters() -> list[str]:
    """The printable letter that stands for each of the 256 bytes in the file of merges."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]
