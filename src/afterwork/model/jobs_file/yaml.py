"""Files of jobs in YAML, where PyYAML is installed. As in TOML, only `true` and `false` are Booleans, so that `on` can
be a key, and a duplicate key is an error."""

import re
from pathlib import Path
from typing import Any

from afterwork.errors import BadJobsFile

BOOLEAN = "tag:yaml.org,2002:bool"


def parsed(path: Path, text: str) -> Any:
    """Return the content of a text in YAML. Raises `BadJobsFile`."""
    try:
        import yaml
    except ImportError:
        problem = "it is YAML, which needs PyYAML. Try: pip install 'afterwork[yaml]', or write it as TOML"
        raise BadJobsFile(str(path), None, problem) from None
    try:
        return yaml.load(text, _loader())
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise BadJobsFile(str(path), line, f"{error.problem}") from None
    except yaml.YAMLError as error:
        raise BadJobsFile(str(path), None, str(error)) from None


def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for index, key in enumerate(keys):
                if key in keys[:index]:
                    mark = node.value[index][0].start_mark
                    raise yaml.constructor.ConstructorError(None, None, f"{key!r} is there twice", mark)
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [resolver for resolver in resolvers if resolver[0] != BOOLEAN]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(BOOLEAN, re.compile("^(?:true|false)$"), ["t", "f"])
    return Loader
