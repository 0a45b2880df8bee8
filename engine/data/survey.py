"""What can be known of pictures before all of them are decoded: sizes, colour, and what to lay transparent ones on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.data.background import contrasting, median_of_corners, spread
from engine.data.collection import Collection, Options, Progress
from engine.data.in_order import in_order
from engine.data.picture import Form, facts, read_alpha
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.data.picture import Encoded

_COLOUR, _ALPHA, _TURNED = 1, 2, 4
_LARGE = 128 * 128  # pixels
_SAY_EVERY = 256  # pictures between two reports of progress


Pixels = NDArray[np.uint8]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Survey:
    """For each picture its size [N, 2] (H, W) and flags [N]; why those that cannot be read cannot, by number."""

    sizes: NDArray[np.int32]
    flags: NDArray[np.uint8]
    faults: dict[int, str]

    def readable(self) -> NDArray[np.int64]:
        """Return the numbers of the others."""
        return np.delete(np.arange(len(self.flags)), list(self.faults))


def survey(collection: Collection, progress: Progress | None) -> Survey:
    """Look at the header of every picture."""
    count = len(collection.labels)
    found = Survey(np.zeros((count, 2), np.int32), np.zeros(count, np.uint8), {})
    for number, source in enumerate(collection.pictures.read(np.arange(count))):
        try:
            seen = facts(source)
            found.sizes[number] = seen.height, seen.width
            found.flags[number] = _COLOUR * seen.colour | _ALPHA * seen.alpha | _TURNED * seen.turned
        except DataError as error:
            found.faults[number] = str(error)
        if progress and (number % _SAY_EVERY == _SAY_EVERY - 1 or number == count - 1):
            progress("looking at pictures", number + 1, count)
    return found


def form_of(collection: Collection, found: Survey, kept: NDArray[np.int64], options: Options) -> tuple[Form, list[str]]:
    """Return what the pictures numbered `kept` are to become, and what to tell of it.

    Raises DataError if they have several sizes and none was chosen.
    """
    height, width = options.size or _only_size(collection, found, kept)
    colour = _any_colour(collection, found, kept)
    transparent = _transparent(collection, found, kept)
    ground = (0,) * (3 if colour else 1)
    if transparent or options.size:
        trained = kept[kept < collection.counts[0]]
        ground = _background(collection, found, trained, transparent, colour)
    notes = [f"{'colour' if colour else 'grey'}, {height}x{width} pixels"]
    if options.size and (found.sizes[kept] != options.size).any():
        notes.append(f"scaled from other sizes, whole; what is left at two sides is {shown(ground)}")
    if transparent:
        notes.append(f"transparent parts of {len(transparent):,} pictures are laid on {shown(ground)}")
    if turned := int(np.count_nonzero(found.flags[kept] & _TURNED)):
        notes.append(f"turned as their EXIF says: {turned:,} pictures")
    return Form(height, width, len(ground), ground, options.size is not None), notes


def threads_for(found: Survey) -> int:
    """Return how many threads decode fastest, 0 for as many as there are cores.

    Decoding a small picture is mostly Python, which threads only slow down: with two, 64x64 took 1.9 times as long,
    256x256 0.6 times.
    """
    return 0 if found.sizes.prod(axis=1).sum() >= _LARGE * len(found.sizes) else 1


def shown(colour: tuple[int, ...]) -> str:
    """Return a colour as a person reads it."""
    code = "#" + bytes((colour * 3)[:3]).hex()
    return {"#000000": "black", "#ffffff": "white"}.get(code, code)


def _only_size(collection: Collection, found: Survey, kept: NDArray[np.int64]) -> tuple[int, int]:
    sizes = Counter(map(tuple, found.sizes[kept].tolist()))
    (most, often), *others = sizes.most_common()
    if others:
        odd = next(int(number) for number in kept if tuple(found.sizes[number].tolist()) != most)
        height, width = found.sizes[odd].tolist()
        raise DataError(
            f"{collection.name}: its pictures have {len(sizes):,} sizes: {often:,} of {len(kept):,} are "
            f"{most[0]}x{most[1]} (H x W), but {collection.pictures.name(odd)} is {height}x{width}; "
            "choose one to scale all to, such as --size 64"
        )
    height, width = most
    return height, width


def _any_colour(collection: Collection, found: Survey, kept: NDArray[np.int64]) -> bool:
    """Tell whether any picture has a pixel that is not grey: many that are stored in colour have none."""

    def coloured(pixels: Pixels, opacity: Pixels) -> bool:
        visible = pixels[opacity > 0]
        return bool((visible != visible[:, :1]).any())

    return any(answer for _, answer in _asked(collection, found, kept, _COLOUR, coloured, colour=True))


def _transparent(collection: Collection, found: Survey, kept: NDArray[np.int64]) -> set[int]:
    """Return which pictures have transparent parts: many that could have none."""

    def transparent(_: Pixels, opacity: Pixels) -> bool:
        return bool(opacity.min() < 255)

    return {number for number, answer in _asked(collection, found, kept, _ALPHA, transparent, colour=False) if answer}


def _background(
    collection: Collection, found: Survey, trained: NDArray[np.int64], transparent: set[int], colour: bool
) -> tuple[int, ...]:
    """Return the median colour of the corners of the opaque training pictures.

    Where all are transparent, black or white, whichever their ink stands out from.
    """
    opaque = np.array([number for number in trained if int(number) not in transparent], np.int64)
    if len(opaque):
        some = opaque[spread(len(opaque))]
        corners = (found for _, found in _asked(collection, found, some, 0, lambda pixels, _: pixels, colour))
        return median_of_corners(corners)

    def ink(pixels: Pixels, opacity: Pixels) -> tuple[float, float]:
        visible = opacity.astype(np.int64)
        return int((pixels[..., 0] * visible).sum()) / opacity.size, int(visible.sum()) / opacity.size

    some = trained[spread(len(trained))]
    inks = [answer for _, answer in _asked(collection, found, some, 0, ink, colour=False)]
    amount = math.fsum(weight for _, weight in inks)
    return contrasting(math.fsum(value for value, _ in inks) / amount if amount else 0.0, 3 if colour else 1)


def decode_all(collection: Collection, found: Survey) -> None:
    """Decode what the header did not show to be unreadable, only to find out what else is."""
    for _ in _asked(collection, found, found.readable(), 0, lambda *_: None, colour=False):
        pass


def _asked(
    collection: Collection,
    found: Survey,
    numbers: NDArray[np.int64],
    flag: int,
    question: Callable[[Pixels, Pixels], Answer],
    colour: bool,
) -> Iterator[tuple[int, Answer]]:
    """Ask the pixels and the opacity of each picture that has `flag`; those that cannot be decoded become faults."""
    chosen = numbers[(found.flags[numbers] & flag) == flag]

    def ask(source: Encoded) -> Answer | DataError:
        try:
            return question(*read_alpha(source, colour))
        except DataError as error:
            return error

    answers = in_order(ask, collection.pictures.read(chosen), threads_for(found))
    for number, answer in zip(chosen.tolist(), answers, strict=True):
        if isinstance(answer, DataError):
            found.faults[number] = str(answer)
        else:
            yield number, answer
