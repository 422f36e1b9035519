"""Colours for OCL and EAL, the languages of the model."""

from pygments.lexer import RegexLexer, words  # type: ignore[import-untyped]
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text  # type: ignore[import-untyped]

KEYWORDS = ("and", "else", "endif", "if", "implies", "in", "let", "not", "or", "then", "xor", "true", "false", "null")


class OclLexer(RegexLexer):  # type: ignore[misc]
    """Tells apart the words, texts, numbers and comments of an expression."""

    name = "OCL"
    aliases = ["ocl", "eal"]
    tokens = {
        "root": [
            (r"--.*$", Comment.Single),
            (r"'(?:[^'\\]|\\.)*'", String),
            (words(KEYWORDS, suffix=r"\b"), Keyword),
            (r"\bself\b", Name.Builtin.Pseudo),
            (r"\d+(?:\.\d+)?", Number),
            (r"->|:=|<=|>=|<>|::|[-+*/=<>|.#?@]", Operator),
            (r"[A-Za-z_]\w*", Name),
            (r"[(){}\[\],;:]", Punctuation),
            (r"\s+", Text),
        ]
    }
