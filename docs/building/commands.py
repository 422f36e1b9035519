"""The reference of the command line: each command with its arguments and options, as `--help` has them."""

import inspect
from collections.abc import Iterator

import click

from afterwork.cli import main


def all_commands() -> str:
    """Return a section for each command, in the order of `afterwork --help`."""
    context = click.Context(main, info_name="afterwork")
    return "\n".join(_command(command, context) for command in main.commands.values())


def _command(command: click.Command, group: click.Context) -> str:
    context = click.Context(command, group, info_name=command.name)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [f"## afterwork {command.name}", "", f"```text\n{usage}\n```", "", _help(command), ""]
    return "\n".join([*lines, *_options(command, context), ""])


def _help(command: click.Command) -> str:
    """Return the help of a command. A mark of click's keeps the lines of the paragraph below it as they are."""
    blocks = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(f"```text\n{block[2:]}\n```" if block.startswith("\b\n") else block for block in blocks)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            names, text = option.get_help_record(context) or ("", "")
            yield f"- `{names}`: {text}" if text else f"- `{names}`"
