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
from engine.kernels.table_of_layers import Activations, Averages, Norms

__all__ = [
    "Array",
    "Backend",
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

    def sgd(self, w: Array, g: Array, scale: float, rate: float, work: Array) -> None:
        """Step w -= rate * scale * g. All vectors of one size; `work` is scratch of any size, here and below."""

    def momentum(self, w: Array, velocity: Array, g: Array, scale: float, rate: float, mu: float, work: Array) -> None:
        """Set velocity = mu * velocity + scale * g and step w -= rate * velocity."""

    def nesterov(self, w: Array, velocity: Array, g: Array, scale: float, rate: float, mu: float, work: Array) -> None:
        """Set velocity = mu * velocity + scale * g and step w -= rate * (scale * g) and w -= rate * mu * velocity."""

    def rmsprop(
        self, w: Array, v: Array, g: Array, scale: float, rate: float, alpha: float, eps: float, work: Array
    ) -> None:
        """Set v = alpha v + (1 - alpha) (scale * g)^2 and step w -= rate * scale * g / (sqrt(v) + eps)."""

    def adam(
        self,
        w: Array,
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

        m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2; w -= rate * m / (sqrt(v) + eps). The caller folds
        both bias corrections into `rate` and `eps`.
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


class Backend(Vectors, Activations, Averages, Norms, Protocol):
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
    def tile_rows(self) -> int:
        """How many rows of Winograd's tiles are best computed at a time: few calls against a warm cache."""

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

    def multiply(self, a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
        """Set out [G, M, N] = a [G, M, K] @ b [G, K, N], or with `more` go on with the sums that are there.

        K is 1 or more. `work` is scratch, as large as out. Compiled kernels take every value of out as one chain of
        fused multiply-adds, k ascending, that begins with 0 or with what is there.
        """

    def multiply_columns(self, a: Array, b: Array, out: Array, more: bool, work: Array) -> None:
        """Do `multiply` with the transpose of a [G, K, M]."""

    def im2col(self, x: Array, columns: Array, stride: Size, origin: Size) -> None:
        """Copy every patch of x [H, W, N, C] into its row of columns [h, w, N, k, l, C].

        The first patch begins at the row and column `origin`, those that follow `stride` rows and columns further.
        """

    def col2im(self, columns: Array, dx: Array, stride: Size, origin: Size) -> None:
        """Write to dx [H, W, N, C] the sum of all patches in columns [h, w, N, k, l, C]: the transpose of `im2col`."""

    def add_bias(self, x: Array, bias: Array, y: Array, place: Place) -> None:
        """Write x [h, w, L] + bias [C] into the plane y at `place`; C divides L."""

    def add_bias_gradient(self, dy: Array, place: Place, shape: tuple[int, int, int], total: Array) -> None:
        """Add to total [C] all pixels and samples of the image of `shape` (h, w, L) in the plane dy, in this order."""

    def stem(
        self,
        x: Array,
        filters: Array,
        bias: Array,
        y: Array,
        place: Place,
        route: Route,
        size: Size,
        padding: int,
        patches: Array,
        work: Array,
        turned: Array,
    ) -> None:
        """Convolve images of one channel, x [N, H, W] with zeros around, by filters [k, k, O]; then 2 x 2 max-pool.

        The largest of each window, plus bias [O], goes into the plane y at `place`, L = N * O; first maximum wins, and
        which it was into route [h, w, L], bytes. `size` is the number of rows and columns that the convolution puts
        out. `patches` has 4 k k h w N values, which `stem_gradient` wants back as they are; `work` has 5 h w L + k k O;
        `turned` [2 h + k - 1, 2, w + k // 2, N] is zero at first, and for nothing else.
        """

    def stem_gradient(
        self,
        dy: Array,
        place: Place,
        route: Route,
        patches: Array,
        dfilters: Array,
        dbias: Array,
        more: bool,
        work: Array,
    ) -> None:
        """Set dfilters [k, k, O] and dbias [O], or with `more` go on with the sums that are there; dy is a plane.

        A filter's gradient is summed over (row of windows, row and column in the window, column of windows, sample).
        """

    def winograd_filter(self, w: Array, u: Array, work: Array) -> None:
        """Transform a filter w [3, 3, C, O] to u [6, 6, C, O] = G w G^T.

        This and all below is F(4x4, 3x3) of Lavin and Gray 2015 (section 4.3): 36 products in place of 144 for a tile
        of 4 x 4 outputs. `work` has 4608 values.
        """

    def winograd_filter_gradient(self, du: Array, dw: Array, work: Array) -> None:
        """Write to dw [3, 3, C, O] the gradient G^T du G, du [6, 6, C, O]; `work` has 4608 values."""

    def winograd_input(self, x: Array, v: Array, work: Array) -> None:
        """Transform the plane x [4 t + 2, 4 s + 2, L] to v [6, 6, t, s, L] = B^T x B for each of t x s tiles.

        `work` has 36 t s L values; so it has for the gradient.
        """

    def winograd_input_gradient(self, dv: Array, dx: Array, more: bool, work: Array) -> None:
        """Write to dx [4 t + 2, 4 s + 2, L] the sum over tiles of B dv B^T.

        With `more` it is added to what the first two rows hold: where the tiles above end.
        """

    def winograd_output(self, m: Array, bias: Array, y: Array, place: Place, size: Size, work: Array) -> None:
        """Write A^T m A + bias [C], m [6, 6, t, s, L], into the plane y at `place`.

        `size` is the number of output rows and columns; what exceeds it is dropped. `work` has 41 t s L values, here
        and in the three operations below.
        """

    def winograd_output_gradient(self, dy: Array, place: Place, size: Size, dm: Array, work: Array) -> None:
        """Write to dm [6, 6, t, s, L] the gradient A dy A^T of the image of `size` in the plane dy."""

    def winograd_pool(
        self, m: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array
    ) -> None:
        """Do `winograd_output` and a 2 x 2 max-pool at once: a tile holds four windows. Otherwise as in `stem`."""

    def winograd_pool_gradient(self, dy: Array, place: Place, route: Route, size: Size, dm: Array, work: Array) -> None:
        """Write to dm [6, 6, t, s, L] the gradient A d A^T, d being dy (a plane) given to the outputs that won."""

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
