"""The families of gateways: one file each, listed in shapes.py."""
