"""How the rules become machine code."""

from collections.abc import Callable
from hashlib import sha256
from types import FunctionType
from typing import Any, Final, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

# No reference is counted, which makes the loop five times as fast: no rule may make an array
# (numba refuses it).
OPTIONS: Final[dict[str, Any]] = {"nogil": True, "_nrt": False}


def rule(function: F) -> F:
    """Compile one rule, to be called from the kernel. It has no cache of its own: see `entry`."""
    return cast("F", numba.njit(**OPTIONS)(function))


def pasted(function: F) -> F:
    """Compile a step of the kernel by pasting it where it is called.

    Saves handing over all arrays, but costs compile time: only for what is called in one place.
    """
    return cast("F", numba.njit(**OPTIONS, inline="always")(function))


def entry(function: F) -> F:
    """Compile a function that Python calls, and keep the machine code on disk.

    Numba would take code from its cache although a rule in another file has changed. It does look
    at the cells of a closure, so `function` has to close over its own `fingerprint`. Where no
    folder for a cache can be written, the code is compiled anew in each process.
    """
    try:
        return cast("F", numba.njit(**OPTIONS, cache=True)(function))
    except RuntimeError:  # numba's word for "no folder for a cache"
        return cast("F", numba.njit(**OPTIONS)(function))


def fingerprint(function: Callable[..., Any]) -> str:
    """Digest a rule with all the rules and constants it uses.

    >>> fingerprint(rule(lambda x: x + 1)) == fingerprint(rule(lambda x: x + 2))
    False
    """
    digest = sha256(repr(OPTIONS).encode())
    _add(function, digest.update, set())
    return digest.hexdigest()


def _add(function: Callable[..., Any], update: Callable[[bytes], None], seen: set[str]) -> None:
    plain = cast("FunctionType", getattr(function, "py_func", function))
    code = plain.__code__
    update(code.co_code + repr((code.co_consts, code.co_names)).encode())
    for name in code.co_names:
        value: Any = plain.__globals__.get(name)
        if hasattr(value, "py_func"):
            if f"{value.__module__}.{name}" not in seen:
                seen.add(f"{value.__module__}.{name}")
                _add(value, update, seen)
        elif isinstance(value, int | float | str | tuple):
            update(f"{name}={value!r}".encode())
