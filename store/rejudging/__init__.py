"""A range of time judged again."""
