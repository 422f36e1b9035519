"""Operators of the original that this language leaves out. Errors and the reference say what to use instead."""

from collections.abc import Mapping

REPORTS = "What writes a document is a method of the model, in Python, that an expression calls."
META = "It is no part of a SQLAlchemy model."

OMITTED: Mapping[str, str] = {
    "dictionary": "Use groupBy(x | x.key), which gives tuples of key and items, or any(x | x.key = …).",
    "orderGeneric": "Use orderBy and orderDescending, which take several expressions. Elements that sort alike keep "
    "their order, so orderDescending(b)->orderBy(a) sorts by a, and then by b in descending order.",
    "PSEvalTuples": "Collections of tuples don't come from SQL. Use PSEval, and collect tuples of its objects.",
    "sqlpassthroughobjects": "No SQL text runs within an expression. Use PSEval, or a criterion in Python: "
    "criteria=select(…).",
    "evaluateAsOCL": "Texts are checked before they run. Use aw.ocl in Python, or a file of jobs, for what changes.",
    "allInstancesAtTime": "Former states are not kept. Use allInstances, and an attribute that says when.",
    "constraints": f"{META} Use the precondition of a method, self.Method?, or a constraint of the database.",
    "taggedValue": f"{META} Use a method of the model that reads Column.info.",
    "taggedValueOnFeature": f"{META} Use a method of the model that reads Column.info.",
    "hashPassword": "A safe hash is slow on purpose, and expressions must not be. Use a method of the model.",
    "viewModelAsXml": REPORTS,
    "xHtmlReportAsString": REPORTS,
    "opendocumentReport": REPORTS,
}
"""The original's names of omitted operators, with what to use instead."""

REPLACEMENTS: Mapping[str, str] = {name.lower(): text for name, text in OMITTED.items()}
"""The same by folded names."""
