"""Mutants of a module: mutmut's faults, in functions and in tables alike.

Left alone are types, which nothing runs, sentences and threads' names, since what a person reads is not for a test
to pin word by word, assertions that two lists are of one length, and other spellings of an encoding.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import Mutation, MutationVisitor, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

AT_IMPORT = "(module)"
"""Where a mutant stands that is in no function: a table, a constant, a field's default."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A mutant: ``where`` is the function that it is in, ``was`` and ``became`` are the lines that it changes."""

    where: str
    was: str
    became: str

    def __str__(self) -> str:
        lines = [f"- {line}" for line in self.was.splitlines()] + [
            f"+ {line}" for line in self.became.splitlines()
        ]
        return "\n".join([f"in {self.where}", *(f"    {line}" for line in lines)])


class Faults:
    """Every mutant of a module, by number. Each is made when it is asked for: a module has hundreds."""

    def __init__(self, path: Path) -> None:
        source = path.read_text("utf-8")
        visitor = _Visitor()
        self._module = MetadataWrapper(cst.parse_module(source)).visit(visitor)
        self._mutations = visitor.mutations
        self._where = visitor.where
        self._lines = source.splitlines()

    def __len__(self) -> int:
        return len(self._mutations)

    def where(self, number: int) -> str:
        """Return the function that a mutant is in: ``Claims.note``, or :data:`AT_IMPORT`."""
        return self._where[number]

    def source(self, number: int) -> str:
        """Return the module's text with this fault in it."""
        mutation: Mutation = self._mutations[number]
        changed = deep_replace(self._module, mutation.original_node, mutation.mutated_node)
        assert isinstance(changed, cst.Module)
        return changed.code

    def fault(self, number: int) -> Fault:
        """Return what a mutant changes."""
        was, became = _difference(self._lines, self.source(number).splitlines())
        return Fault(self._where[number], was, became)

    def inside(self, where: str) -> Iterator[int]:
        """Yield the mutants in a function."""
        return (number for number, each in enumerate(self._where) if each == where)


class _Visitor(MutationVisitor):
    """Goes into decorated functions as well, and leaves alone what cannot make a difference."""

    def __init__(self) -> None:
        super().__init__(mutation_operators, IgnoredCode(set(), set(), set()))
        self._inside: list[cst.FunctionDef | cst.ClassDef] = []
        self._calls: list[cst.Call] = []
        self.where: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._inside.append(node)
        deeper = super().on_visit(node)
        new = self.mutations[len(self.where) :]
        if self._calls and m.matches(self._calls[-1], _TAKES_AN_ENCODING):
            new = [each for each in new if not _spells_the_same(each)]
        self.mutations[len(self.where) :] = kept = [each for each in new if not _says_the_same(each)]
        if isinstance(node, cst.Call):
            self._calls.append(node)
        self.where += [self._function()] * len(kept)
        return deeper

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._inside.pop()
        if isinstance(original_node, cst.Call):
            self._calls.pop()
        super().on_leave(original_node)

    def _function(self) -> str:
        """The outermost function that we are in, as its code object is called."""
        names: list[str] = []
        for each in self._inside:
            names.append(each.name.value)
            if isinstance(each, cst.FunctionDef):
                return ".".join(names)
        return AT_IMPORT

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if m.matches(node, _FOR_TYPE_CHECKERS | _SILENT) or _is_prose(node):
            return True
        if isinstance(node, cst.FunctionDef):  # mutmut leaves decorated ones out, because of how it runs them
            return False
        return super()._skip_node_and_children(node)


_FOR_TYPE_CHECKERS = (
    m.TypeAlias()
    | m.TypeParameters()
    | m.If(test=m.Name("TYPE_CHECKING"))
    | m.Assign(targets=[m.AssignTarget(m.Name("__all__"))])
    | m.ClassDef(bases=[m.Arg(m.Name("Protocol"))])
    | m.Call(func=m.Name("cast"), args=[m.Arg(m.SimpleString()), m.Arg(m.Name())])
)


def _says_the_same(mutation: Mutation) -> bool:
    """Whether ``False`` becomes ``None`` among a call's arguments, which hardly anything tells apart.

    Or only ``strict`` is another, which asserts, and nothing comes of that without a second fault; or only what
    threads are called.
    """
    match mutation.original_node, mutation.mutated_node:
        case cst.Call(args=was), cst.Call(args=became):
            if any(m.matches(arg, _SILENT) for arg in was) and _but_for_silent(was) == _but_for_silent(became):
                return True
            return len(was) == len(became) and any(
                m.matches(old.value, m.Name("False")) and m.matches(new.value, m.Name("None"))
                for old, new in zip(was, became, strict=True)
            )
    return False


_SILENT = m.Arg(keyword=m.Name("strict") | m.Name("thread_name_prefix"))


def _but_for_silent(arguments: Sequence[cst.Arg]) -> list[str]:
    module = cst.Module(())
    return [module.code_for_node(each.value) for each in arguments if not m.matches(each, _SILENT)]


_TAKES_AN_ENCODING = m.Call(
    func=m.OneOf(
        *(m.Attribute(attr=m.Name(name)) for name in ("encode", "decode", "open", "read_text", "write_text"))
    )
)


def _spells_the_same(mutation: Mutation) -> bool:
    """Whether an encoding is spelled otherwise."""
    match mutation.original_node, mutation.mutated_node:
        case cst.SimpleString(evaluated_value=str(old)), cst.SimpleString(evaluated_value=str(new)):
            return _encoding(old) is not None and _encoding(old) == _encoding(new)
    return False


def _encoding(name: str) -> str | None:
    try:
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        return None


_WORD = re.compile(r"[\w'’\"“”(),.;:!?…–-]+")


def _is_prose(node: cst.CSTNode) -> bool:
    """Whether this is a sentence, or a piece of one: no test should pin every word that a person reads."""
    if not isinstance(node, cst.ConcatenatedString | cst.SimpleString) or not isinstance(
        node.evaluated_value, str
    ):
        return False
    words = node.evaluated_value.split()
    return len(words) > 3 and all(map(_WORD.fullmatch, words))


def _difference(was: list[str], became: list[str]) -> tuple[str, str]:
    """Return the lines that differ, without what is the same before and behind them."""
    shorter = min(len(was), len(became))
    pairs = zip(was, became, strict=False)
    begin = next((n for n, pair in enumerate(pairs) if pair[0] != pair[1]), shorter)
    pairs = zip(reversed(was[begin:]), reversed(became[begin:]), strict=False)
    end = next((n for n, pair in enumerate(pairs) if pair[0] != pair[1]), shorter - begin)
    cut = slice(begin, -end or None)
    return dedent("\n".join(was[cut])), dedent("\n".join(became[cut]))
