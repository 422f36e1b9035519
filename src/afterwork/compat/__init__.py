"""Every private API of a library that Afterwork uses, each wrapped once, with the reason why the public one won't do.

`tests/compat` relies on each of them in a small real use, so that a new version which changes one fails there first.
"""
