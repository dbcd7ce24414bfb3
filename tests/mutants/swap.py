"""A fault that is in one function alone, put into a program that has long imported the module.

A function's code is exchanged where it is: what has taken the function from its module, a decorator or a table,
runs the other code too.
"""

import gc
from collections.abc import Iterator, Sequence
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FunctionType


class Functions:
    """A module's functions that there are, methods and decorated ones among them."""

    def __init__(self, path: Path) -> None:
        self._were = compile(path.read_text("utf-8"), str(path), "exec", dont_inherit=True)
        self._path = str(path)
        self._live = [
            each
            for each in gc.get_objects()
            if isinstance(each, FunctionType) and each.__code__.co_filename == self._path
        ]

    def exchange(self, source: str) -> bool:
        """Give one function the code that it has in another text of the module.

        Return whether that could be done: whether it is the one difference, and there is the function. Raises
        ``SyntaxError``.
        """
        found = difference(self._were, compile(source, self._path, "exec", dont_inherit=True))
        if found is None:
            return False
        was, becomes = found
        functions = [each for each in self._live if each.__code__ == was]
        for each in functions:
            each.__code__ = becomes
        return bool(functions)


def difference(was: CodeType, became: CodeType) -> tuple[CodeType, CodeType] | None:
    """Return the one outermost function in which two texts of a module differ, as it was and as it became.

    ``None`` if they differ in what is run at import, such as a table or a default, or in nothing.
    """
    if _is_function(was):
        return (was, became) if _interface(was) == _interface(became) else None
    if _own(was) != _own(became):
        return None
    pairs = zip(_inside(was), _inside(became), strict=True)
    differing = [pair for pair in pairs if not _alike(*pair)]
    return difference(*differing[0]) if len(differing) == 1 else None


def _is_function(code: CodeType) -> bool:
    """Whether it is a function, or what a comprehension is; a class is none, nor is what holds type parameters."""
    return bool(code.co_flags & CO_OPTIMIZED) and not code.co_name.startswith("<generic parameters")


def _alike(one: CodeType, other: CodeType) -> bool:
    return _own(one) == _own(other) and all(
        _alike(*pair) for pair in zip(_inside(one), _inside(other), strict=True)
    )


def _own(code: CodeType) -> Sequence[object]:
    """What a code object does, without what is defined inside it, and without its lines' numbers."""
    line = None if _is_function(code) else code.co_firstlineno  # a class keeps it
    constants = ["line" if type(each) is int and each == line else _constant(each) for each in code.co_consts]
    return (*_interface(code), code.co_code, constants, code.co_names, code.co_varnames, code.co_exceptiontable)


def _constant(value: object) -> object:
    """Return what tells a constant from others, of which some are equal and not the same: ``1`` and ``True``."""
    match value:
        case CodeType():
            return CodeType
        case tuple():
            return [*map(_constant, value)]
        case frozenset():
            return sorted(map(repr, value))
        case _:
            return type(value), repr(value)


def _interface(code: CodeType) -> Sequence[object]:
    """What whoever holds the function relies on."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    return (
        *(code.co_qualname, code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        *(code.co_varnames[:arguments], code.co_freevars),
    )


def _inside(code: CodeType) -> Iterator[CodeType]:
    return (each for each in code.co_consts if isinstance(each, CodeType))
