"""What the compiler was told, and what it made of it: `python -m tests.support.instructions`.

Prints a JSON object: how many kernels there are, which have a flag that lets the compiler change a rounding, and which
have fused multiply-adds that nobody asked for. All must be compiled by this process: GRADSUM_CACHE is an empty folder.
"""

import json
import re

from engine.compute.precompile import compile_kernels
from engine.kernels.choose import numba_backend
from engine.kernels.with_numba.jit import COMPILED

# The first flag follows the operation at once.
FLAGS = re.compile(r"^\s+(%\S+ = )?((must|no)?tail )?\w+ (fast|nnan|ninf|nsz|arcp|contract|afn|reassoc) ", re.MULTILINE)
FUSED = re.compile(r"\b(v?fn?m(add|sub)\w*|fml[as])\b")


def main() -> None:
    """Compile everything, and tell."""
    compile_kernels(numba_backend())
    flags, fused, count = [], [], 0
    for kernel in COMPILED:
        assembly = kernel.inspect_asm()
        for signature, text in kernel.inspect_llvm().items():
            count += 1
            if FLAGS.search(text) or "llvm.fmuladd" in text:
                flags.append(kernel.__name__)
            if "llvm.fma." not in text and FUSED.search(assembly[signature]):
                fused.append(kernel.__name__)
    print(json.dumps({"kernels": count, "flags": flags, "fused": fused}))


if __name__ == "__main__":
    main()
