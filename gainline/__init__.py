"""The roof: wires the rooms, reads the configuration, offers the commands."""
