"""How the data of a run was read, as its checkpoints say it."""

from engine.checkpoint import RunState
from engine.data.read_options import ReadOptions


def reading_of(stored: RunState) -> ReadOptions:
    """Return how the data was read, so that it can be read so again."""
    data = stored.data
    height_and_width, columns = tuple(data.size), tuple(data.picture_columns)
    return ReadOptions(
        size=(height_and_width[0], height_and_width[1]) if len(height_and_width) == 2 else None,
        skip_unreadable=data.skip_unreadable,
        columns=(columns[0], columns[1]) if len(columns) == 2 else None,
        target_column=stored.target_column,
        task=stored.task,
    )
