"""The tables of a new database, as sqlite-utils reads them."""

from pathlib import Path

from sqlite_utils import Database

from engine.records import COLUMNS, Recorder
from engine.records.schema import INDEXES, NUMBERED, PRIMARY_KEYS, REFERENCES, REQUIRED


def test_a_new_database_has_what_the_schema_says(tmp_path: Path) -> None:
    Recorder(tmp_path / "r.db").close()
    db = Database(tmp_path / "r.db")
    assert set(COLUMNS) <= set(db.table_names())
    for name, columns in COLUMNS.items():
        table = db.table(name)
        found, key = {column.name: column for column in table.columns}, PRIMARY_KEYS[name]
        assert [(column, found[column].type) for column in found] == [
            (each, kind) for each, (kind, _) in columns.items()
        ]
        assert tuple(table.pks) == key
        assert {each for each in found if found[each].notnull} - {*key} == {*REQUIRED.get(name, ())} - {*key}
        there = {(key.column, key.other_table, key.other_column) for key in table.foreign_keys}
        assert there == set(REFERENCES.get(name, ()))
        assert table.strict == db.supports_strict
    indexes = {index.name: (index.columns, index.unique) for name in COLUMNS for index in db.table(name).indexes}
    for name, (_, column_names, unique) in INDEXES.items():
        assert indexes[name] == ([*column_names], unique)
    numbered = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'")}
    assert numbered == set(NUMBERED)
