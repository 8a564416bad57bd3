"""The wire: messages from a broker into the journal, and from us to a broker."""
