"""`python -m afterwork.cli` is `afterwork`."""

from afterwork.cli import main

main(prog_name="afterwork")
