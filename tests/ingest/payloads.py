"""Payloads of any kind, those that are almost native among them."""

from __future__ import annotations

import json

from hypothesis import strategies as st

NAMES = ["ts", "value", "gateway", "epoch", "seq", "a", ""]

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=12,
)
payloads = st.binary() | json_like.map(lambda value: json.dumps(value).encode())
