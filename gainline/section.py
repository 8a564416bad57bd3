"""What every section of the configuration is made of."""

from typing import Annotated, NewType

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1)]
# Taken from the environment as it stands there, quotes and all.
Secret = NewType("Secret", str)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that is not listed in it is an error."""
