"""Sparkplug B: births explain what the data of an edge node means."""
