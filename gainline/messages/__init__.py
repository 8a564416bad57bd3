"""Single messages: tried, imported, accounted for, sent again."""
