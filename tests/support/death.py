"""A server that dies in this process, at a point where a listener is told of it."""


class Death(BaseException):
    """The end of a server that can't do anything about it: nothing keeps it within a run, or from a listener."""

    ends_the_program = True
