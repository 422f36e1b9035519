"""Programs load of Afterwork what they use: few modules at its import, and other libraries only for their users."""

import ast
import functools
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import afterwork as aw
import afterwork.language

ROOT = Path(__file__).resolve().parents[1]

MODEL = """
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    length: Mapped[int] = mapped_column(default=0)

    @aw.method
    def greet(self) -> None: ...

    @aw.derived(length)
    def measure(self) -> int:
        return len(self.name)


class GreetAll(aw.ViewModel, root=Customer):
    when = aw.Every(minutes=10, criteria=select(Customer))

    @aw.action
    def greet(self) -> None:
        self.root.greet()

"""

SERVED = """
app = aw.Afterwork(Base)
engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
app.install(engine)
with Session(engine) as session, session.begin():
    ann = Customer(name="Ann")
    session.add(ann)
    aw.later(ann.greet)
assert {str(ended.run.work) for ended in app.run_until_idle(engine)} >= {"Customer.greet", "Customer.length"}
"""


@functools.cache
def loaded_by(source: str) -> frozenset[str]:
    """The modules that a program of its own has at its end, without those of `import sqlalchemy.orm`."""
    tell = "import sys; print('\\n'.join(sys.modules))"
    at_end, before = (
        subprocess.run([sys.executable, "-c", one], capture_output=True, text=True, check=True).stdout.split()
        for one in (f"{source}\n{tell}", f"import sqlalchemy.orm\n{tell}")
    )
    return frozenset(at_end) - frozenset(before)


def packages(modules: frozenset[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


def test_the_import_loads_few_modules() -> None:
    loaded = loaded_by("import afterwork")
    own = {module for module in loaded if module.startswith("afterwork")}

    assert "afterwork.saving.listeners" in own
    assert len(own) <= 25
    assert len(loaded - own) <= 10, "of Python and of SQLAlchemy"
    assert packages(loaded - own) <= {"sqlalchemy", *sys.stdlib_module_names}


def test_declaring_a_model_does_not_load_the_server() -> None:
    loaded = loaded_by(MODEL)

    assert "afterwork.model.viewmodel" in loaded
    assert not any(module.startswith(("afterwork.server", "afterwork.derived.", "afterwork.app")) for module in loaded)


@pytest.mark.parametrize("library", ["lark", "statemachine", "click", "rich", "starlette", "psycopg", "yaml"])
def test_a_server_without_a_use_for_a_library_does_not_load_it(library: str) -> None:
    assert library not in packages(loaded_by(MODEL + SERVED))


def test_the_command_line_loads_no_library_of_charts_or_texts() -> None:
    assert not {"lark", "statemachine"} & packages(loaded_by("import afterwork.cli"))


def test_whoever_uses_a_library_loads_it() -> None:
    chart = (
        "from statemachine import State, StateChart\n"
        "class Flow(StateChart):\n"
        "    begun, done = State(initial=True), State(final=True)\n"
        "    begun.to(done)\n"
    )

    assert "lark" in packages(loaded_by("from afterwork.language.syntax.parse import parse; parse('1 + 1')"))
    assert "statemachine" in packages(loaded_by(chart + "import afterwork as aw; aw.machine(Flow, state='state')"))


def test_tickets_are_completed_though_only_their_class_was_imported() -> None:
    """What a flush does is imported when there is a flush."""
    saved = MODEL + (
        "engine = create_engine('sqlite://')\n"
        "Base.metadata.create_all(engine)\n"
        "with Session(engine) as session:\n"
        "    session.add(SysAsyncTicket(view_model='Customer.greet', root_object=Customer(name='Ann')))\n"
        "    session.commit()\n"
        "    print(session.scalars(select(SysAsyncTicket)).one().root_id)"
    )

    assert subprocess.run([sys.executable, "-c", saved], capture_output=True, text=True, check=True).stdout == (
        "Customer!1\n"
    )


def test_a_package_does_not_take_the_place_of_the_function_of_its_name() -> None:
    """`afterwork.derived` and `afterwork.web` are packages, too, and to import a package sets it in the one above."""
    everything = "import pkgutil, afterwork as aw\nfor _ in pkgutil.walk_packages(aw.__path__, 'afterwork.'): pass\n"
    named = "import afterwork.app, afterwork.derived.queue, afterwork.web.access\n"

    for program in (everything, named):
        assert loaded_by(f"{program}import afterwork as aw\nassert callable(aw.derived) and callable(aw.web)")


def test_no_public_name_but_these_is_that_of_a_package() -> None:
    packages_within = {module.name for module in pkgutil.iter_modules(aw.__path__)}

    assert packages_within & set(aw.__all__) == {"aio", "derived", "web"}


@pytest.mark.parametrize(
    ("package", "at_once"), [(aw, {"Derived", "Identity", "derived", "web"}), (afterwork.language, set())]
)
def test_type_checkers_see_the_names_that_there_are(package: ModuleType, at_once: set[str]) -> None:
    tree = ast.parse(Path(str(package.__file__)).read_text())
    lazily = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    checked = {
        alias.name: str(node.module) for node in lazily.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    for name, module in checked.items():
        assert getattr(package, name) is getattr(import_module(module), name)

    assert {*checked, *at_once} == set(package.__all__)
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("name", aw.__all__)
def test_each_public_name_is_there(name: str) -> None:
    assert getattr(aw, name) is getattr(aw, name)


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'afterwork' has no attribute 'latter'"):
        aw.latter  # type: ignore[attr-defined]
