"""The changes: one comparison, number, operator, condition, argument, return value or statement at a time.

Left alone are what a test should not pin: the words of errors and of docstrings, annotations, decorators and imports.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TypeVar

T = TypeVar("T")

OTHERS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.BitXor: (ast.BitOr,),
    ast.MatMult: (ast.Mult,),
}
SKIPPED_NODES = (ast.Import, ast.ImportFrom, ast.JoinedStr)
SKIPPED_FIELDS = ("annotation", "returns", "decorator_list", "bases")
CONDITIONS = ("test", "ifs", "guard")
REMOVED = (ast.AugAssign, ast.Raise, ast.Delete, ast.Continue, ast.Break)


@dataclass(frozen=True)
class Mutant:
    """A changed module. `where`: the function or class; `lines`: those of the statement, down to that of the change."""

    lines: tuple[int, int]
    where: str
    change: str
    code: CodeType


@dataclass(frozen=True)
class _Slot:
    """The place of a node that may be changed: a field of its parent, and the place in that if it is a list."""

    parent: ast.AST
    field: str
    index: int | None
    where: str
    first: int  # line of the statement

    def node(self) -> ast.AST:
        held = getattr(self.parent, self.field)
        return held if self.index is None else held[self.index]  # type: ignore[no-any-return]

    def put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def mutants(source: str, path: str) -> Iterator[Mutant]:
    """Yield every changed form of the module with this source."""
    tree = ast.parse(source)
    for slot in list(_slots(tree, "", 1)):
        node = slot.node()
        shown = slot.parent if isinstance(node, ast.Constant) else None  # a number alone would say little
        for new in _others(node, slot.field):
            before = _text(shown or node)
            slot.put(ast.copy_location(new, node))
            change = f"{before} -> {_text(shown or new)}"
            code = compile(ast.fix_missing_locations(tree), path, "exec")
            slot.put(node)
            yield Mutant((slot.first, getattr(node, "lineno", slot.first)), slot.where, change, code)


def _slots(parent: ast.AST, where: str, first: int) -> Iterator[_Slot]:
    if isinstance(parent, ast.FunctionDef | ast.ClassDef):
        where = f"{where}.{parent.name}".lstrip(".")
    for field, value in ast.iter_fields(parent):
        if field in SKIPPED_FIELDS or (isinstance(parent, ast.Raise) and field == "exc"):
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or isinstance(node, SKIPPED_NODES) or _type_checking(node):
                continue
            line = node.lineno if isinstance(node, ast.stmt | ast.ExceptHandler) else first
            yield _Slot(parent, field, index, where, line)
            yield from _slots(node, where, line)


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _others(node: ast.AST, field: str) -> Iterator[ast.AST]:
    """Yield what may stand in the place of `node`, which is in this field of its parent."""
    if field in CONDITIONS:
        yield from map(ast.Constant, (True, False))
    match node:
        case ast.Constant(value=value):
            yield from map(ast.Constant, _near(value))
        case ast.Compare(ops=ops):
            for i, operator in enumerate(ops):
                yield from (_with(node, ops=[*ops[:i], other(), *ops[i + 1 :]]) for other in OTHERS[type(operator)])
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator):
            yield from (_with(node, op=other()) for other in OTHERS[type(operator)])
        case ast.BoolOp(values=values):
            yield from (_with(node, values=rest) if len(rest) > 1 else rest[0] for rest in _but_one(values))
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.Slice():
            yield from (_with(node, **{end: None}) for end in ("lower", "upper") if getattr(node, end))
        case ast.Call():
            yield from _fewer_arguments(node)
        case ast.Return(value=value) if value and not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.ExceptHandler(type=ast.expr() as caught):
            kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
            yield from (_with(node, type=ast.Tuple(rest, ast.Load())) for rest in _but_one(kinds))
    if isinstance(node, REMOVED) or _acts(node):
        yield ast.Pass()


def _near(value: object) -> list[float]:
    """Return the neighbours of a number or truth value; none of anything else."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1] if value > 0 else [value + 1]
    return [2 * value or 1.0] if isinstance(value, float) else []


def _fewer_arguments(call: ast.Call) -> Iterator[ast.AST]:
    """Yield the call without each of its named arguments; of `suppress`, without each exception."""
    if ast.unparse(call.func) == "suppress":
        yield from (_with(call, args=rest) for rest in _but_one(call.args))
    for rest, one in zip(_but_one(call.keywords), call.keywords, strict=True):
        if one.arg:  # not **others
            yield _with(call, keywords=rest)


def _but_one(nodes: list[T]) -> list[list[T]]:
    """Return the list without its first, without its second, and so on."""
    return [[*nodes[:i], *nodes[i + 1 :]] for i in range(len(nodes))]


def _acts(node: ast.AST) -> bool:
    """Return whether a statement is a call, or sets an attribute or an item."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom)
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """Return a copy of `node` with other fields."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _text(node: ast.AST) -> str:
    """Return the source of a node on one line: of a statement with a body its first line."""
    return "(removed)" if isinstance(node, ast.Pass) else ast.unparse(node).split("\n")[0]
