"""Adds up what workers sent, in the order of the tree.

Floating-point addition is not associative, so the order of additions is fixed before anything is computed: a binary
tree over the numbers of the micro-batches, which depends on their number alone. Answers arrive in any order; a block
waits until its sibling in the tree is there, then the two become their parent. So the result is the same bits
whichever worker was first, and no more vectors are held than there are blocks that wait for a sibling. Memory is the
other half of the work: a vector that was received is never written to (it may be a worker's shared memory, or a frame
of the transport), sums go into vectors made here, which are used again, and the last one, if it is formed here, into
the caller's `out`.
Nothing is added before it is checked: a block that cannot be one of this round, or a gradient of the wrong size, is a
ProtocolError and never reaches a sum.

Workers that share memory add, too: the one that finishes the second of two siblings forms the sum of their parent. That
is only a hint. It is used where each block below was given to one worker alone, whose answer was accepted; otherwise
the sums of the single blocks are added here.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.compute import tree
from engine.compute.sums import Adder, Sums
from engine.compute.tally import WIRE, Tally, size_of
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import messages as m
from engine.wire.shared_memory import FLOAT


class _Formed:
    """Sums of nodes that workers formed; of blocks that are `doubtful` they may have used another answer than we do."""

    def __init__(self, adder: Adder) -> None:
        self._adder = adder
        self.sums: dict[tree.Block, Vector] = {}
        self.doubtful: list[tree.Block] = []

    def __call__(self, node: tree.Block, left: Sums, right: Sums) -> Sums | None:
        """Return the sums of a node, if a worker formed them from what was accepted here."""
        gradient = self.sums.pop(node, None)
        if gradient is None or any(start < node[1] and node[0] < stop for start, stop in self.doubtful):
            return None
        self._adder.give_back(left.gradient, right.gradient)
        return Sums(left.loss + right.loss, left.correct + right.correct, gradient)


class Reduction:
    """The sums of a round over `samples` samples; in training the gradient is added up in `out`.

    In validation there is a tally of so many outputs, unless `tallied` is 0.
    """

    def __init__(self, samples: int, microbatch: int, out: Vector | None, tallied: int = 0) -> None:
        self._tallied = tallied
        self.total = tree.microbatches(samples, microbatch)
        self._samples = samples
        self._microbatch = microbatch
        self._out = out
        adder = Adder(out)
        self._formed = _Formed(adder)
        self._tree = tree.TreeSum(self.total, adder, self._formed)
        self.seconds = 0.0  # spent on adding up

    def emptied(self) -> "Reduction":
        """Return the same with nothing counted; this one is not to be used any more."""
        return Reduction(self._samples, self._microbatch, self._out, self._tallied)

    def images(self, block: tree.Block) -> int:
        """Return how many samples `block` has."""
        return min(block[1] * self._microbatch, self._samples) - block[0] * self._microbatch

    def check(self, result: m.Result, payload: m.Frame | None) -> Sums:
        """Return the sums that a worker sent; ProtocolError if they cannot be those of a block of this round."""
        block = self._check_block(result)
        expected = size_of(self._tallied) * WIRE.itemsize if self._out is None else self._out.nbytes
        size = 0 if payload is None else len(payload)
        if size != expected:
            what = "gradient" if self._out is not None or not self._tallied else "tally"
            raise ProtocolError(f"a {what} of {size} bytes; expected {expected}")
        if self._out is None and payload is not None:
            return Sums(result.loss, result.correct, tally=self._tally(payload, block))
        gradient = None if payload is None else np.frombuffer(payload, FLOAT)
        return Sums(result.loss, result.correct, gradient)

    def check_without_vector(self, result: m.Result) -> Sums:
        """Return the sums that a member of an exchange sent, of whose gradient others have the parts."""
        self._check_block(result)
        return Sums(result.loss, result.correct)

    def _check_block(self, result: m.Result) -> tree.Block:
        block = (result.start, result.stop)
        if not tree.is_block(block, self.total) or result.correct > self.images(block):
            raise ProtocolError(f"block {block} with {result.correct} correct answers is impossible in this round")
        return block

    def _tally(self, payload: m.Frame, block: tree.Block) -> Tally:
        tally = Tally(np.frombuffer(payload, WIRE).astype(np.int64))
        if max(int(tally.confusion.sum()), tally.among(tally.outputs)) > self.images(block):
            raise ProtocolError(f"a tally of more answers than block {block} has samples")
        return tally

    def doubt(self, block: tree.Block) -> None:
        """Use no sum that workers formed of `block`: its sums may come from someone else than theirs."""
        self._formed.doubtful.append(block)

    def put(self, block: tree.Block, sums: Sums, formed: Sequence[Vector] = ()) -> tree.Block:
        """Count the sums of `block`, which must not have been counted before; return what it became part of.

        `formed`: the gradients of the nodes above it, from its parent on, that its worker added up.
        """
        began = time.perf_counter()
        if formed:
            nodes = [node for _, node in tree.above(block, self.total)]
            self._formed.sums.update(zip(nodes, formed, strict=False))
        whole = self._tree.put(block, sums)
        self.seconds += time.perf_counter() - began
        return whole

    def result(self) -> Sums:
        """Return the sums over the whole round, once every block has been counted.

        The gradient may be where a worker formed it, which is not written to again before the next round.
        """
        sums = self._tree.result()
        if self._out is not None and sums.gradient is not None and not sums.gradient.flags.aligned:
            np.copyto(self._out, sums.gradient)  # it is a piece of a message
            return replace(sums, gradient=self._out)
        return sums


class ShareReduction(Reduction):
    """The sums of a share of a round: of each of the fewest blocks that together are the share.

    Blocks outside the share never come, so nothing beyond these blocks is added.
    """

    def __init__(self, samples: int, microbatch: int, out: Vector | None, share: tree.Block, tallied: int = 0) -> None:
        super().__init__(samples, microbatch, out, tallied)
        self._wanted = set(tree.cover(*share, self.total))
        self._whole: list[tree.Block] = []

    def put(self, block: tree.Block, sums: Sums, formed: Sequence[Vector] = ()) -> tree.Block:
        """Count the sums of `block`, as in any round."""
        whole = super().put(block, sums, formed)
        if whole in self._wanted:
            self._whole.append(whole)
        return whole

    def take(self) -> list[tuple[tree.Block, Sums]]:
        """Return the blocks of the share that have become whole since the last call; use their gradients at once."""
        whole, self._whole = self._whole, []
        return [(block, self._tree.take(block)) for block in whole]
