"""The view `data`, which turns chunks of bytes back into numbers, and the table `float32` that it looks them up in.

The view is plain SQL, so that any program that reads SQLite sees one table of numbers. Each of its rows is a row of
`snapshots` and three of `numbers`, and its two floats are looked up by key: WHERE idx = 20 reads one kernel. These are
LEFT JOINs, which always match, because SQLite leaves such a join out where a SELECT DISTINCT does not need it.
"""

import math
from collections.abc import Iterator

from engine.records.snapshot_tables import CHUNK

_PLACE = '((i.n * s."rows" + r.n) * s.cols + c.n)'
_BYTES = f"x'{bytes(range(256)).hex()}'"


def _byte(blob: str, number: int) -> str:
    """Return SQL for byte `number` of the value in the blob: a byte's place among all bytes is its value."""
    return f"(instr({_BYTES}, substr({blob}, 4 * ({_PLACE} % {CHUNK}) + {number + 1}, 1)) - 1)"


def _float(blob: str) -> str:
    """Return SQL for the float32 of the view's row that is in the column `blob` of its chunk (IEEE 754, table 3.5).

    All of its steps are exact in the doubles that SQLite computes with.
    """
    low, middle, upper, top = (_byte(f"k.{blob}", number) for number in range(4))
    mantissa = f"({low} | ({middle} << 8) | (({upper} & 127) << 16))"
    return f"""(
    SELECT CASE
      WHEN f.hidden IS NOT NULL THEN (f.hidden | {mantissa}) * f.unit
      WHEN {mantissa} = 0 THEN f.unit
    END
    FROM chunks k JOIN float32 f ON f.head = (({top} << 1) | ({upper} >> 7))
    WHERE k.startID = s.startID AND k.batchno = s.batchno AND k.chunk = s.chunk + {_PLACE} / {CHUNK}
  )"""  # noqa: S608


DATA = f"""SELECT
  s.startID, s.batchno, s.name, s.subname, i.n AS idx, r.n AS row, c.n AS col,
  {_float("vals")} AS val,
  {_float("grads")} AS grad,
  s.pos + {_PLACE} AS pos
FROM snapshots s
LEFT JOIN numbers i ON i.n < s.matrices
LEFT JOIN numbers r ON r.n < s."rows"
LEFT JOIN numbers c ON c.n < s.cols"""  # noqa: S608


def float32_rows() -> Iterator[dict[str, int | float | None]]:
    """Yield the rows of `float32`: for every sign and exponent what the other bits are worth (IEEE 754, table 3.5)."""
    for head in range(512):
        sign, exponent = (-1.0 if head >= 256 else 1.0), head % 256
        if exponent == 255:
            yield {"head": head, "hidden": None, "unit": sign * math.inf}
        else:  # subnormal numbers, of exponent 0, have no hidden bit and the unit of exponent 1
            unit = sign * math.ldexp(1.0, max(exponent, 1) - 150)
            yield {"head": head, "hidden": 1 << 23 if exponent else 0, "unit": unit}
