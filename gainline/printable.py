"""Text that shows what it holds and drives no terminal."""


def printable(text: str) -> str:
    r"""Escape control characters, and what else does not print.

    >>> print(printable("a\tb\x1b[2J"))
    a\tb\x1b[2J
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
