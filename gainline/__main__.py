"""Lets `python -m gainline` be the command `gainline`."""

from gainline.cli import main

main()
