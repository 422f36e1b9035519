"""The reference of the settings: each with its type, its default, and the option of `afterwork serve` that sets it."""

from afterwork.cli import main
from afterwork.settings import Settings
from docs.building.declarations import Class, Parameter
from docs.building.python_names import places
from docs.building.texts import described, linked

NAME = "aw.Settings"


def all_settings() -> str:
    """Return the description of the settings, in the order of the source."""
    shape = Class(Settings)
    fields = [_setting(field) for field in shape.fields]
    return described("class", NAME, shape.signature, "\n\n".join([linked(shape.doc, places()), *fields]))


def _setting(field: Parameter) -> str:
    options = [option.opts[0] for option in main.commands["serve"].params if option.name == field.name]
    served = f" `afterwork serve {options[0]}` sets it, too." if options else ""
    doc = linked(field.doc, places()) + served
    return described("attribute", f"{NAME}.{field.name}", "", doc, f"type: {field.type}", f"value: {field.default}")
