"""The errors of the house: whose fault it is, and whether a retry is worth it."""


class GainlineError(Exception):
    """What gainline raises on purpose. The message is one line: cause, then remedy."""


class ContractError(GainlineError):
    """Our fault: a type or an invariant of the house is broken. Stop."""


class ConfigError(GainlineError):
    """The user's fault: the message names the file, the key and the fix."""


class DataError(GainlineError):
    """The user's fault: an input file or table is not what it must be."""


class TransientError(GainlineError):
    """The world's fault: a disk is full, a journal is full. Retry."""


class UnreachableError(TransientError):
    """The world's fault: a broker or a store does not answer. Retry."""
