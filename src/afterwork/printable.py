"""Foreign text as it may stand in a line of a log or on a terminal."""


def printable(text: str) -> str:
    """Return a text in which every character that is not printable is escaped, as Python writes it.

    So it neither ends a line nor goes back in it, and no terminal or editor takes a part of it for a command.
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escaped(character) for character in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
