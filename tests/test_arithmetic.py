"""What decides bits uses nothing whose bits depend on the processor or on a library's version: see docs/arithmetic.md.

Source is parsed, not run. The numpy backend is left out, and so is what checks layers of a user's own: their bits hold
for one kind of processor, and a run says so.
"""

import ast
from collections.abc import Iterator

import pytest

from tests.support.repository import ROOT
from tests.support.structure import trees

ROOMS = ("engine.compute", "engine.data", "engine.kernels", "engine.nn")
LEFT_OUT = ("engine.kernels.with_numpy", "engine.nn.own")
# Rounded as IEEE 754 says, or exact, or no number.
MATH = {"ceil", "factorial", "floor", "fsum", "inf", "isfinite", "isnan", "isqrt", "nan", "pi", "prod", "sqrt"}
NUMPY = {
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "average", "cbrt", "convolve",
    "correlate", "corrcoef", "cos", "cosh", "cov", "cross", "dot", "einsum", "exp", "exp2", "expm1", "fft",
    "float_power", "geomspace", "hypot", "inner", "interp", "linalg", "linspace", "log", "log10", "log1p",
    "log2", "logaddexp", "logspace", "matmul", "mean", "nanmean", "nanstd", "nansum", "nanvar", "outer",
    "polyfit", "polynomial", "polyval", "power", "random", "sin", "sinc", "sinh", "std", "sum", "tan", "tanh",
    "tensordot", "trace", "trapezoid", "vdot", "var", "vecdot",
}  # fmt: skip
MODULES = {"cmath", "numpy.random", "random", "scipy"}
METHODS = {"dot", "mean", "std", "sum", "var"}
# What is allowed nevertheless, and why; each must still be there.
ALLOWED = {
    ("engine.compute.program.operations.pooling", "self._size ** 2"): "whole numbers",
    ("engine.compute.program.operations.loss", "right.sum"): "counts",
    ("engine.compute.tally", "((z > own) | (z == own) & before).sum"): "counts",
    ("engine.compute.tally", "matrix.sum"): "counts",
    ("engine.compute.tally", "self.counts[K * K:K * K + k].sum"): "counts",
    ("engine.kernels.circle", "(-1) ** k"): "whole numbers",
    ("engine.data.axes", "side ** 2"): "whole numbers",
    ("engine.data.held_out", "held.sum"): "counts",
    ("engine.data.held_out", "(np.bincount(labels) == 1).sum"): "counts",
    ("engine.data.normalisation", "values.sum"): "whole numbers far below 2^53",
    ("engine.data.normalisation", "values @ values"): "whole numbers far below 2^53",
    ("engine.data.survey", "(pixels[..., 0] * visible).sum"): "whole numbers",
    (
        "engine.data.survey",
        "found.sizes.prod(axis=1).sum",
    ): "whole numbers, and it only chooses how many threads decode",
    ("engine.data.survey", "visible.sum"): "whole numbers",
}


def forbidden(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield what may differ from one processor to another, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            yield ast.unparse(node.func), node.lineno
        elif isinstance(node, ast.BinOp | ast.AugAssign | ast.Attribute | ast.Import | ast.ImportFrom) and _wrong(node):
            yield ast.unparse(node), node.lineno


def _wrong(node: ast.BinOp | ast.AugAssign | ast.Attribute | ast.Import | ast.ImportFrom) -> bool:
    match node:
        case ast.BinOp(op=ast.Pow()):  # 2.0 ** -24 is exact
            return not all(isinstance(side, ast.Constant | ast.UnaryOp) for side in (node.left, node.right))
        case ast.BinOp() | ast.AugAssign():
            return isinstance(node.op, ast.MatMult | ast.Pow)
        case ast.Attribute():
            owner, name = ast.unparse(node.value), node.attr
            listed = {"np": name in NUMPY, "math": name not in MATH, "np.random": True, "np.add": name == "reduce"}
            return listed.get(owner, False)
        case ast.Import():
            return any(alias.name in MODULES for alias in node.names)
    names, module = {alias.name for alias in node.names}, str(node.module)
    wrong = {"math": names - MATH, "numpy": names & NUMPY}.get(module, set())
    return module.partition(".")[0] in MODULES or bool(wrong)


def found() -> dict[tuple[str, str], int]:
    """Return everything forbidden in the rooms, by module and text, with a line."""
    return {
        (module, text): line
        for module, tree in trees().items()
        if module.startswith(ROOMS) and not module.startswith(LEFT_OUT)
        for text, line in forbidden(tree)
    }


def test_nothing_decides_bits_that_depends_on_the_processor() -> None:
    assert not [f"{module}:{line}: {text}" for (module, text), line in found().items() if (module, text) not in ALLOWED]


def test_every_exception_is_still_needed() -> None:
    assert not ALLOWED.keys() - found().keys()


def test_the_page_names_the_numpy_backend() -> None:
    assert "its bits are its own" in (ROOT / "docs" / "arithmetic.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "np.exp(x)", "np.log", "np.sin(x)", "np.power(x, 2)", "x ** 2", "x ** 0.5", "x **= 2", "a @ b", "a @= b",
        "np.dot(a, b)", "a.dot(b)", "x.sum()", "x.mean(axis=0)", "np.var(x)", "np.add.reduce(x)", "math.exp(x)",
        "np.random.default_rng(0)", "from math import log", "from math import sqrt, erf", "from numpy import tanh",
        "from scipy.special import erf", "import random", "np.linalg.norm(x)", "np.einsum('ij->i', x)",
    ],
)  # fmt: skip
def test_what_is_forbidden_is_found(text: str) -> None:
    assert list(forbidden(ast.parse(text)))


@pytest.mark.parametrize("text", ["math.sqrt(x)", "np.sqrt(x)", "2.0**-24", "x * x", "np.add(x, y)", "np.cumsum(x)"])
def test_what_is_rounded_everywhere_alike_is_allowed(text: str) -> None:
    assert not list(forbidden(ast.parse(text)))
