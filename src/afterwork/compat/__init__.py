"""The private APIs of libraries that Afterwork uses, each wrapped once, with the reason why no public one will do.

`tests/compat` relies on each of them in a small real use, so that a new version which changes one fails there first.
"""
