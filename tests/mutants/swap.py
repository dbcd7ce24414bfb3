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

        Return whether that is the one difference; nothing is done if it is not. Raises ``SyntaxError``.
        """
        found = difference(self._were, compile(source, self._path, "exec", dont_inherit=True))
        if found is None:
            return False
        was, becomes = found
        functions = [each for each in self._live if _place(each.__code__) == _place(was)]
        for each in functions:
            each.__code__ = becomes
        return bool(functions)


def difference(was: CodeType, became: CodeType) -> tuple[CodeType, CodeType] | None:
    """Return the one outermost function in which two texts of a module differ, as it was and as it became.

    ``None`` if they differ in what is run at import: a table, a default, a decorator.
    """
    if was.co_flags & CO_OPTIMIZED:
        return (was, became) if _interface(was) == _interface(became) else None
    if _own(was) != _own(became):
        return None
    pairs = zip(_inside(was), _inside(became), strict=True)
    differing = [pair for pair in pairs if not _alike(*pair)]
    return difference(*differing[0]) if len(differing) == 1 else None


def _alike(one: CodeType, other: CodeType) -> bool:
    return _own(one) == _own(other) and all(
        _alike(*pair) for pair in zip(_inside(one), _inside(other), strict=True)
    )


def _own(code: CodeType) -> Sequence[object]:
    """What a code object does, without what is defined inside it, and without its lines' numbers."""
    constants = ["code" if isinstance(each, CodeType) else (type(each), repr(each)) for each in code.co_consts]
    return (*_interface(code), code.co_code, constants, code.co_names, code.co_varnames, code.co_exceptiontable)


def _interface(code: CodeType) -> Sequence[object]:
    """What whoever holds the function relies on."""
    arguments = code.co_argcount + code.co_kwonlyargcount
    return (
        *(code.co_qualname, code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        *(code.co_varnames[:arguments], code.co_freevars),
    )


def _inside(code: CodeType) -> Iterator[CodeType]:
    return (each for each in code.co_consts if isinstance(each, CodeType))


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno
