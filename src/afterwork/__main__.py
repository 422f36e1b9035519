"""The command line as a module, to say which Python it is to be: `python -m afterwork`."""

from afterwork.cli import main

if __name__ == "__main__":
    main(prog_name="afterwork")
