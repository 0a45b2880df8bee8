"""The table of numeric operations: what every kernel backend offers, each operation described once.

Letters: N samples, H W height and width, C O channels in and out, K classes. L = N * C is one pixel of a whole chunk.
An image activation is [H, W, L]: one pixel of all samples is contiguous. A *plane* is a larger array of that kind with
the image inside, and zeros around it; its place in the plane is (first row and column, first of the L values), since a
plane may hold more samples than are computed at a time. All arrays are C-contiguous float32 unless said
otherwise, and none overlap. No operation allocates more than a few bytes a sample, but for `moments` and `histogram`,
which no step waits for, and `norm`; and none raises: what does not fit is excluded when a program is compiled. NaN and
infinity in the input reach the output.
"""

from typing import Protocol

from engine.kernels.arrays import (
    Array,
    Bytes,
    Counter,
    Counts,
    Doubles,
    Key,
    Labels,
    Mask,
    Place,
    Route,
    Size,
    Words,
)
from engine.kernels.table_of_layers import Activations, Averages, Convolutions, Norms

__all__ = [
    "Array",
    "Backend",
    "Bytes",
    "Counter",
    "Counts",
    "Doubles",
    "Key",
    "Labels",
    "Mask",
    "Place",
    "Route",
    "Size",
    "Vectors",
    "Words",
]


class Vectors(Protocol):
    """The operations on flat vectors: those of optimizers, and what is said of an array."""

    def sgd(self, w: Array, out: Array, g: Array, scale: float, rate: float, work: Array) -> None:
        """Set out = w - rate * scale * g. All vectors of one size; `work` is scratch of any size, here and below."""

    def momentum(
        self, w: Array, out: Array, velocity: Array, g: Array, scale: float, rate: float, mu: float, work: Array
    ) -> None:
        """Set velocity = mu * velocity + scale * g and out = w - rate * velocity."""

    def nesterov(
        self, w: Array, out: Array, velocity: Array, g: Array, scale: float, rate: float, mu: float, work: Array
    ) -> None:
        """Set velocity = mu * velocity + scale * g and out = w - rate * (scale * g) - rate * mu * velocity."""

    def rmsprop(
        self, w: Array, out: Array, v: Array, g: Array, scale: float, rate: float, alpha: float, eps: float, work: Array
    ) -> None:
        """Set v = alpha v + (1 - alpha) (scale * g)^2 and out = w - rate * scale * g / (sqrt(v) + eps)."""

    def adam(
        self,
        w: Array,
        out: Array,
        m: Array,
        v: Array,
        g: Array,
        scale: float,
        rate: float,
        betas: tuple[float, float],
        eps: float,
        work: Array,
    ) -> None:
        """Take one step of Adam (Kingma and Ba 2015, the efficient form of algorithm 1 in section 2) on scale * g.

        m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; out = w - rate * m / (sqrt(v) + eps). The caller
        folds both bias corrections into `rate` and `eps`.
        """

    def moments(self, x: Array) -> tuple[float, float, float]:
        """Return mean, standard deviation and Euclidean norm of x [n], n > 0.

        Sums are taken in float64, where squares of float32 do not overflow.
        """

    def norm(self, x: Array) -> float:
        """Return the Euclidean norm of x [n] as that of `moments`: it is finite exactly if every value is."""

    def total(self, x: Doubles) -> float:
        """Return the sum of x [n]; compiled kernels add one value after the other."""

    def histogram(self, x: Array, low: float, high: float, counts: Counts) -> None:
        """Add to counts [B] how many values of x [n] are in each of B equal bins from `low` to `high`.

        All values are within these two. Close to the edge of two bins either may count a value.
        """


class Backend(Vectors, Activations, Averages, Convolutions, Norms, Protocol):
    """One implementation of every operation; the modules `with_numpy`, `with_numba` and `exact` are three."""

    @property
    def name(self) -> str:
        """The name under which `choose` knows the backend."""

    @property
    def own_bits(self) -> bool:
        """Whether results have bits of their own, which depend on libraries and processor; else all such have one."""

    def about(self) -> str:
        """Return what the operations are made by, for people: versions, processor."""

    @property
    def whole_rows(self) -> bool:
        """Whether `multiply` wants every matrix contiguous; else they may be transposed views."""

    @property
    def ordered(self) -> bool:
        """Whether who sees what `publish` wrote, by `look`, also sees all that was written before."""

    def publish(self, words: Counts, place: int, value: int) -> None:
        """Set words[place] = value, after all writes of this process so far (LLVM's release). 0 <= value < 2^63."""

    def look(self, words: Counts, place: int) -> int:
        """Return words[place], before all reads to come (LLVM's acquire)."""

    def cached(self) -> bool:
        """Tell whether there are compiled versions of all operations for processes that start later."""

    def compilations(self) -> int:
        """Return how many operations this process had to compile, because no cache had them."""

    def philox(self, key: Key, counter: Counter, words: Words) -> None:
        """Fill words [4 n] with the n blocks of Philox4x64-10 at `counter` and those that follow it in the first word.

        Key and counter are 0 .. 2^63 - 1, and so is the last counter.
        """

    def dropout_mask(self, key: Key, counter: Counter, rate: float, mask: Array) -> None:
        """Set every value of mask [N, F] to 0 with probability `rate`, else to 1 / (1 - rate).

        Row n takes the halves, low ones first, of the words of ceil(F / 8) blocks, as `philox` makes them, those of row
        0 from `counter` on, and so forth. A value is 0 if floor(half / 256) / 2^24 is below the rate in float32.
        """

    def relu(self, x: Array, y: Array, mask: Mask) -> None:
        """Set y = max(x, 0) and mask = x > 0. All of one shape."""

    def relu_gradient(self, mask: Mask, dy: Array, dx: Array) -> None:
        """Set dx = dy where mask, 0 elsewhere."""

    def gelu(self, x: Array, y: Array, phi: Array) -> None:
        """Set phi = (1 + erf(x / sqrt 2)) / 2 and y = x * phi (Hendrycks and Gimpel 2016). All of one shape."""

    def gelu_gradient(self, x: Array, phi: Array, dy: Array, dx: Array) -> None:
        """Set dx = dy * (phi + x * exp(-x * x / 2) / sqrt(2 pi))."""

    def max_pool(self, x: Array, y: Array, place: Place, route: Route, size: int, work: Route) -> None:
        """Largest value of each size x size window of x [H, W, L], into the plane y at `place`.

        `route` and `work` (scratch) are [h, w, L], h = ceil(H / size): windows at the lower and right edge may be
        partial. The first maximum in reading order wins.
        """

    def max_pool_gradient(self, dy: Array, place: Place, route: Route, dx: Array, size: int, work: Mask) -> None:
        """Write to dx [H, W, L] the gradient: dy (a plane) goes to the value that won, all others get 0."""

    def translate(self, values: Bytes, tables: Array, out: Array) -> None:
        """Set out [n, C] to what the tables [C, 256] have for values [n, C]."""

    def multiply(self, a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
        """Set out [G, M, N] = a [G, M, K] @ b [G, K, N], or with `more` go on with the sums that are there.

        K is 1 or more. `work` is scratch, as large as out. Compiled kernels take every value of out as one chain of
        fused multiply-adds, k ascending, that begins with 0 or with what is there.
        """

    def matrix_gradient(self, a: Array, b: Array, out: Array, microbatch: int, work: Array) -> None:
        """Set out [M, O] to the sum over t and n of a[t, n]^T b[t, n], a [T, N, M] and b [T, N, O].

        Of each micro-batch of samples n it is one chain of fused multiply-adds over (t, sample), from 0; those sums are
        added up in pairs, see `engine.kernels.pairs`, as all sums over several micro-batches. `work` has max(16, M) O
        values for each binary digit of the number of micro-batches.
        """

    def transpose(self, a: Array, out: Array) -> None:
        """Set out [G, N, M] to the transposes of a [G, M, N]."""

    def im2col(self, x: Array, columns: Array, stride: Size, origin: Size) -> None:
        """Copy every patch of x [H, W, N, C] into its row of columns [h, w, N, k, l, C].

        The first patch begins at the row and column `origin`, those that follow `stride` rows and columns further.
        """

    def col2im(self, columns: Array, dx: Array, stride: Size, origin: Size, more: bool) -> None:
        """Write to dx [H, W, N, C] the sum of all patches in columns [h, w, N, k, l, C]: the transpose of `im2col`.

        With `more` they are added to what is there.
        """

    def add_bias(self, x: Array, bias: Array, y: Array, place: Place) -> None:
        """Write x [h, w, L] + bias [C] into the plane y at `place`; C divides L."""

    def bias_gradient(
        self, dy: Array, place: Place, shape: tuple[int, int, int], total: Array, microbatch: int, work: Array
    ) -> None:
        """Set total [C] to the sum of all pixels and samples of the image of `shape` (h, w, L) in the plane dy.

        Of each micro-batch they are added up in this order. `work` has C values for each binary digit of the number of
        micro-batches.
        """

    def stem(
        self, x: Array, filters: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array
    ) -> None:
        """Convolve images of one channel, x [N, 2 h + k - 1, 2 w + k - 1], by filters [k, k, O]; then 2 x 2 max-pool.

        The largest of each window, plus bias [O], goes into the plane y at `place`, L = N * O; first maximum wins, and
        which it was into route [h, w, L], bytes. `size` is the number of rows and columns that the convolution puts
        out, 2 h and 2 w or one less. `work` has what `stem_work` says, here and for the gradient.
        """

    def stem_gradient(
        self, x: Array, dy: Array, place: Place, route: Route, dfilters: Array, microbatch: int, work: Array
    ) -> None:
        """Set dfilters [k, k, O] to the filters' gradient; dy is a plane.

        Of each micro-batch it is summed over (row of windows, row and column in the window, column of windows, sample).
        """

    def stem_work(self, windows: Size, N: int, kernel: int, filters: int, microbatch: int) -> int:
        """Return how many values of scratch a stem takes that puts out `windows`, rows and columns."""

    def winograd_filter(self, w: Array, u: Array) -> None:
        """Transform a filter w [3, 3, C, O] to u [6, 6, C, O] = G w G^T.

        Matrices u, here and below, may lie apart: at multiples of 4096 bytes they are in one another's way in caches.
        This and all below is F(4x4, 3x3) of Lavin and Gray 2015 (section 4.3): 36 products in place of 144 for a tile
        of 4 x 4 outputs.
        """

    def winograd(
        self, x: Array, N: int, u: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array
    ) -> None:
        """Convolve N samples in the plane x [4 t + 2, 4 s + 2, N C or more] by the filter that became u [36, C, O].

        There are t x s tiles. The outputs, A^T m A of products m of the points of u and of B^T x B, plus bias [O], go
        into the plane y at `place`; of the largest of each window of 2 x 2, if route [h, w, N O], bytes, is not empty,
        as in `stem`. `size` is the number of rows and columns of outputs; what exceeds it is dropped. `work` has what
        `winograd_work` says.
        """

    def winograd_gradient(
        self,
        x: Array,
        N: int,
        dy: Array,
        place: Place,
        route: Route,
        size: Size,
        ut: Array,
        dx: Array,
        dw: Array,
        microbatch: int,
        work: Array,
    ) -> None:
        """Write the gradient of what `winograd` did to dw [3, 3, C, O], the filter's, and to dx, as x, if not empty.

        The one of the filter is summed over (row of tiles, column of tiles, sample) of each micro-batch, transformed
        back, and then over micro-batches. ut [36, O, C] is u transposed.
        """

    def winograd_work(self, tiles: Size, N: int, C: int, filters: int, microbatch: int) -> int:
        """Return how many values of scratch both take."""

    def softmax_cross_entropy(self, z: Array, labels: Labels, losses: Doubles, dz: Array) -> int:
        """Set losses [N] = log(sum(exp(z))) - z[label] for z [N, K], and dz = softmax(z) - one_hot(label).

        Returns how many labels are the first maximum of their row; a row with NaN never counts.
        """

    def mean_squared_error(self, z: Array, labels: Labels, losses: Doubles, dz: Array) -> int:
        """Set losses [N] = mean over k of (z - one_hot(label))^2 for z [N, K], and dz its gradient.

        Returns how many labels are the first maximum of their row; a row with NaN never counts.
        """

    def squared_error_of_values(self, z: Array, values: Array, losses: Doubles, dz: Array) -> None:
        """Set losses [N] = mean over t of (z - value)^2 for z and values [N, T], and dz its gradient.

        The difference is rounded to float32, its square is not.
        """
