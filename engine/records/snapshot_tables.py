"""The tables of snapshots and statistics, and the view `data`, which turns chunks of bytes back into numbers.

The view is plain SQL, so that any program that reads SQLite sees one table of numbers. Each of its rows is a row of
`snapshots` and three of `numbers`, and its two floats are looked up by key: WHERE idx = 20 reads one kernel. These are
LEFT JOINs, which always match, because SQLite leaves such a join out where a SELECT DISTINCT does not need it.
"""

CHUNK = 512  # values a chunk

_RUN = ("INTEGER", "the run: runs.startID")
_BATCHNO = ("INTEGER", "the step it is of; the values are those that its gradient was taken at, before it changed them")
_NAME = ("TEXT", "name of the layer: c1, fc1 and so on")
_SUBNAME = ("TEXT", "name of the array in the layer: filter, weights or bias")
_OF_TENSOR = {"startID": _RUN, "batchno": _BATCHNO, "name": _NAME, "subname": _SUBNAME}
_MEASURES = {
    "mean": "mean of the {}",
    "deviation": "standard deviation of the {}",
    "min": "smallest of the {}",
    "max": "largest of the {}",
    "norm": "Euclidean norm of the {}",
    "zeros": "fraction of the {} that is 0",
}
_STATISTICS = {
    f"{what}_{measure}": ("REAL", text.format(what))
    for what in ("values", "gradients", "updates")
    for measure, text in _MEASURES.items()
}

COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "statistics": _OF_TENSOR | _STATISTICS,
    "snapshots": _OF_TENSOR
    | {
        "shape": ("TEXT", "JSON array: the public shape"),
        "pos": ("INTEGER", "place of its first value among all parameters"),
        "chunk": ("INTEGER", "number of its first chunk"),
        "matrices": ("INTEGER", "how many matrices it consists of: a filter has one for each output and input"),
        "rows": ("INTEGER", "rows of each matrix"),
        "cols": ("INTEGER", "columns of each matrix"),
    },
    "chunks": {
        "startID": _RUN,
        "batchno": _BATCHNO,
        "chunk": ("INTEGER", "number of the chunk, counted through all parameters of the model"),
        "vals": ("BLOB", f"at most {CHUNK} values, little-endian float32, C order of the public shape"),
        "grads": ("BLOB", "their mean gradients over the batch, likewise"),
    },
    "histograms": _OF_TENSOR
    | {
        "what": ("TEXT", "values or gradients"),
        "low": ("REAL", "smallest finite one, where the first bin begins; NULL if none is finite"),
        "high": ("REAL", "largest finite one, where the last bin ends; NULL if none is finite"),
        "counts": ("TEXT", "JSON array: how many lie in each of the bins, which are equally wide"),
    },
    "numbers": {"n": ("INTEGER", "0, 1, 2 and so on: what the view `data` counts with")},
    "float32": {
        "head": ("INTEGER", "the upper 9 bits of a float32: sign and exponent"),
        "hidden": ("INTEGER", "the bit above its other 23 bits; NULL where those tell inf from nan"),
        "unit": ("REAL", "what the last of the 23 bits is worth, with the sign; where `hidden` is NULL inf or -inf"),
    },
}

PRIMARY_KEYS: dict[str, tuple[str, ...]] = {
    "statistics": ("startID", "batchno", "name", "subname"),
    "snapshots": ("startID", "name", "subname", "batchno"),
    "chunks": ("startID", "batchno", "chunk"),
    "histograms": ("startID", "batchno", "name", "subname", "what"),
    "numbers": ("n",),
    "float32": ("head",),
}

STEP_TABLES = ("statistics", "snapshots", "chunks", "histograms")

VIEWS: dict[str, dict[str, str]] = {
    "data": {
        "startID": _RUN[1],
        "batchno": _BATCHNO[1],
        "name": _NAME[1],
        "subname": _SUBNAME[1],
        "idx": "number of the matrix: for a filter output * inputs + input; for its bias the output; else 0",
        "row": "row in the matrix; for weights and the bias of a dense layer the output",
        "col": "column in the matrix; for weights the input",
        "val": "the value, exact; NULL where it is nan",
        "grad": "the mean gradient of the batch, exact; NULL where it is nan",
        "pos": "place among all parameters of the model",
    }
}

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


_DATA = f"""CREATE VIEW IF NOT EXISTS data AS SELECT
  s.startID, s.batchno, s.name, s.subname, i.n AS idx, r.n AS row, c.n AS col,
  {_float("vals")} AS val,
  {_float("grads")} AS grad,
  s.pos + {_PLACE} AS pos
FROM snapshots s
LEFT JOIN numbers i ON i.n < s.matrices
LEFT JOIN numbers r ON r.n < s."rows"
LEFT JOIN numbers c ON c.n < s.cols"""  # noqa: S608

# The exponents from the largest down, by halving: numbers in text would be rounded.
_FLOAT32 = """INSERT OR IGNORE INTO float32
WITH RECURSIVE
  normal(exponent, unit) AS (
    SELECT 254, CAST(1 << 52 AS REAL) * (1 << 52)
    UNION ALL SELECT exponent - 1, unit / 2 FROM normal WHERE exponent > 1
  ),
  positive(exponent, hidden, unit) AS (
    SELECT exponent, 1 << 23, unit FROM normal
    UNION ALL SELECT 0, 0, unit FROM normal WHERE exponent = 1
    UNION ALL SELECT 255, NULL, 9e999
  )
SELECT exponent, hidden, unit FROM positive UNION ALL SELECT exponent + 256, hidden, -unit FROM positive"""

# What makes the view work, to be executed once the tables are there.
STATEMENTS = (_FLOAT32, _DATA)
