"""The tables of snapshots and statistics, and the columns of the view `data`."""

from engine.records.columns import Columns, column, columns_of
from engine.records.read_rows import RunNumber
from engine.records.rows import ArrayName, HistogramRow, Layer, OfStep, StatisticsRow

CHUNK = 512  # values a chunk

_RUN = {"startID": column(RunNumber)}
_STEP = {"batchno": column(OfStep)}
_ARRAY = {"name": column(Layer), "subname": column(ArrayName)}

COLUMNS: dict[str, Columns] = {
    "statistics": _RUN | columns_of(StatisticsRow),
    "snapshots": _RUN
    | _STEP
    | _ARRAY
    | {
        "shape": ("TEXT", "JSON array: the public shape"),
        "pos": ("INTEGER", "place of its first value among all parameters"),
        "chunk": ("INTEGER", "number of its first chunk"),
        "matrices": ("INTEGER", "how many matrices it consists of: a filter has one for each output and input"),
        "rows": ("INTEGER", "rows of each matrix"),
        "cols": ("INTEGER", "columns of each matrix"),
    },
    "chunks": _RUN
    | _STEP
    | {
        "chunk": ("INTEGER", "number of the chunk, counted through all parameters of the model"),
        "vals": ("BLOB", f"at most {CHUNK} values, little-endian float32, C order of the public shape"),
        "grads": ("BLOB", "their mean gradients over the batch, likewise"),
    },
    "histograms": _RUN | columns_of(HistogramRow),
    "deleted_snapshots": {"startID": ("INTEGER", "the run that it was of, which may be deleted, too")} | _STEP,
    "numbers": {"n": ("INTEGER", "0, 1, 2 and so on: what the view `data` counts with")},
    "float32": {
        "head": ("INTEGER", "the upper 9 bits of a float32: sign and exponent"),
        "hidden": ("INTEGER", "the bit above its other 23 bits; NULL where those tell inf from nan"),
        "unit": ("REAL", "what the last of the 23 bits is worth, with the sign; where `hidden` is NULL inf or -inf"),
    },
}

KEYS: dict[str, tuple[str, ...]] = {
    "statistics": ("startID", "batchno", "name", "subname"),
    "snapshots": ("startID", "name", "subname", "batchno"),
    "chunks": ("startID", "batchno", "chunk"),
    "histograms": ("startID", "batchno", "name", "subname", "what"),
    "deleted_snapshots": ("startID", "batchno"),
    "numbers": ("n",),
    "float32": ("head",),
}

VIEWS: dict[str, dict[str, str]] = {
    "data": {
        **{name: meaning for name, (_, meaning) in (_RUN | _STEP | _ARRAY).items()},
        "idx": "number of the matrix: for a filter output * inputs + input; for its bias the output; else 0",
        "row": "row in the matrix; for weights and the bias of a dense layer the output",
        "col": "column in the matrix; for weights the input",
        "val": "the value, exact; NULL where it is nan",
        "grad": "the mean gradient of the batch, exact; NULL where it is nan",
        "pos": "place among all parameters of the model",
    }
}
