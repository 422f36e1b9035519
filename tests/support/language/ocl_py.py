"""Evaluates expressions by `ocl-py`, in a process of its own, since it changes Python's lists and sets meanwhile.

The input is JSON: `objects` as `model_as_data` writes them, and `expressions`. The output has for each expression its
value, or null and the exception. Both undefined values of the standard become null.
"""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

from sqlalchemy import inspect


def answers(objects: list[Any], expressions: list[str]) -> list[dict[str, Any]]:
    """Return what `ocl-py` gives for each expression, with the first object as self."""
    given = json.dumps({"objects": model_as_data(objects), "expressions": expressions})
    command, root = [sys.executable, "-m", __name__], Path(__file__).parents[3]
    done = subprocess.run(command, cwd=root, input=given, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


def model_as_data(objects: list[Any]) -> list[dict[str, Any]]:
    """Return objects as their class, its bases, their plain values, and the names of the objects at their ends."""
    return [
        {
            "name": name_of(obj),
            "classes": [cls.__name__ for cls in type(obj).__mro__ if inspect(cls, raiseerr=False) is not None],
            "values": {key.key: _plain(getattr(obj, key.key)) for key in inspect(type(obj)).column_attrs},
            "ends": {end.key: _ends(getattr(obj, end.key)) for end in inspect(type(obj)).relationships},
        }
        for obj in objects
    ]


def name_of(obj: Any) -> str:
    """Return `Class id`."""
    return f"{type(obj).__name__} {obj.id}"


def _ends(value: Any) -> Any:
    if isinstance(value, list):
        return [name_of(obj) for obj in value]
    return None if value is None else name_of(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return None  # timestamps and enumerations, which expressions don't name


# In its own process


def main() -> None:
    from ocl import compile as compiled  # type: ignore[import-untyped]
    from ocl import eval_ocl

    given = json.load(sys.stdin)
    objects, classes = _model_of(given["objects"])
    known = {"self": next(iter(objects.values())), **classes}
    results = []
    for text in given["expressions"]:
        try:
            _, free = compiled(text)
            results.append({"value": _as_json(eval_ocl(text, **{name: known[name] for name in free}))})
        except Exception as error:  # whatever it raises is the answer
            results.append({"value": None, "error": f"{type(error).__name__}: {error}"})
    json.dump(results, sys.stdout)


def _model_of(data: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, type]]:
    from ocl import OCLTerm

    classes: dict[str, Any] = {}
    for entry in data:
        base: Any = OCLTerm
        for name in reversed(entry["classes"]):
            base = classes.setdefault(name, type(name, (base,), {}))
    objects = {entry["name"]: classes[entry["classes"][0]]() for entry in data}
    for entry in data:
        for key, value in entry["values"].items():
            setattr(objects[entry["name"]], key, Fraction(str(value)) if isinstance(value, float) else value)
        for key, end in entry["ends"].items():
            setattr(
                objects[entry["name"]], key, [objects[e] for e in end] if isinstance(end, list) else objects.get(end)
            )
        objects[entry["name"]].ocl_name = entry["name"]
    return objects, classes


def _as_json(value: Any) -> Any:
    if hasattr(value, "ocl_name"):
        return value.ocl_name
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float | Fraction):
        return float(value)
    return [_as_json(item) for item in value]


if __name__ == "__main__":
    main()
