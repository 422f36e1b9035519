"""Evaluates expressions by `ocl-py`, in a process of its own, since it changes Python's lists and sets meanwhile.

Takes JSON: `objects` as `model_as_data` writes them, and `expressions`. Gives for each expression its value, or null
and what was raised. Of the standard's undefined values, both are null.
"""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy import inspect


def answers(objects: list[Any], expressions: list[str]) -> list[dict[str, Any]]:
    """What `ocl-py` gives for each expression, where self is the first object."""
    given = json.dumps({"objects": model_as_data(objects), "expressions": expressions})
    command, root = [sys.executable, "-m", __name__], Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, input=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def model_as_data(objects: list[Any]) -> list[dict[str, Any]]:
    """Objects as their class, its bases, their plain values, and the names of the objects at their ends."""
    return [
        {
            "name": name_of(one),
            "classes": [cls.__name__ for cls in type(one).__mro__ if inspect(cls, raiseerr=False) is not None],
            "values": {key.key: _plain(getattr(one, key.key)) for key in inspect(type(one)).column_attrs},
            "ends": {end.key: _ends(getattr(one, end.key)) for end in inspect(type(one)).relationships},
        }
        for one in objects
    ]


def name_of(one: Any) -> str:
    """`Class id`."""
    return f"{type(one).__name__} {one.id}"


def _ends(found: Any) -> Any:
    if isinstance(found, list):
        return [name_of(one) for one in found]
    return None if found is None else name_of(found)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return None  # moments and enumerations: expressions don't name them


# In the process of its own


def main() -> None:
    from ocl import compile as compiled  # type: ignore[import-untyped]
    from ocl import eval_ocl

    given = json.load(sys.stdin)
    objects, classes = _made(given["objects"])
    known = {"self": next(iter(objects.values())), **classes}
    found = []
    for text in given["expressions"]:
        try:
            _, free = compiled(text)
            found.append({"value": _told(eval_ocl(text, **{name: known[name] for name in free}))})
        except Exception as error:  # whatever it raises is the answer
            found.append({"value": None, "error": f"{type(error).__name__}: {error}"})
    json.dump(found, sys.stdout)


def _made(data: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, type]]:
    from ocl import OCLTerm

    classes: dict[str, Any] = {}
    for one in data:
        base: Any = OCLTerm
        for name in reversed(one["classes"]):
            base = classes.setdefault(name, type(name, (base,), {}))
    objects = {one["name"]: classes[one["classes"][0]]() for one in data}
    for one in data:
        for key, value in one["values"].items():
            setattr(objects[one["name"]], key, Fraction(str(value)) if isinstance(value, float) else value)
        for key, end in one["ends"].items():
            setattr(objects[one["name"]], key, [objects[e] for e in end] if isinstance(end, list) else objects.get(end))
        objects[one["name"]].ocl_name = one["name"]
    return objects, classes


def _told(value: Any) -> Any:
    if hasattr(value, "ocl_name"):
        return value.ocl_name
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float | Fraction):
        return float(value)
    return [_told(one) for one in value]


if __name__ == "__main__":
    main()
