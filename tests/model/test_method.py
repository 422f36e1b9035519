"""Methods: callable as usual, asked whether they may run, and refused where they could never run."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import BadDeclaration, WrongRoot
from afterwork.jobs.perform import check
from afterwork.model.work import MethodWork
from tests.support.shop import Customer
from tests.support.world import World, errors, the_only


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Audited:
    """A mixin whose method all that use it have."""

    log: Any

    @aw.method
    def audit(self) -> None:
        self.log += "audited "


def is_open(account: "Account") -> bool:
    return "closed" not in account.log


class Account(Audited, Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="account")
    log: Mapped[str] = mapped_column(default="")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "account"}

    @aw.method(precondition=is_open)
    def close(self) -> None:
        """Close it."""
        self.log += "closed "

    @aw.method
    def pay(self) -> None:
        self.log += "paid "

    @aw.method(precondition=lambda self: self.log.no_such)
    def broken(self) -> None:
        raise AssertionError

    @aw.method  # type: ignore[arg-type]
    def with_defaults(self, amount: int = 3, *others: int, **more: int) -> None:
        self.log += f"{amount} "


class SavingsAccount(Account):
    __mapper_args__ = {"polymorphic_identity": "savings"}

    def pay(self) -> None:  # type: ignore[override]
        raise AssertionError("not marked, so it can't be asked for")


def test_a_method_is_called_as_usual() -> None:
    account = Account(log="")
    account.close()
    account.close()

    assert account.log == "closed closed "
    assert Account.close.__doc__ == "Close it."
    assert "Account.close" in repr(account.close)


def test_can_asks_whether_it_may_run_now() -> None:
    account = Account(log="")
    assert aw.can(account.close)
    assert aw.can(account.pay)

    account.close()

    assert not aw.can(account.close)


def test_methods_of_the_class_its_bases_and_mixins_run(engine: Engine) -> None:
    world = World(engine, Base)
    with world.session() as session, session.begin():
        savings = SavingsAccount()
        session.add(savings)
        for name in ("Account.audit", "SavingsAccount.audit", "SavingsAccount.with_defaults", "SavingsAccount.close"):
            session.add(SysAsyncTicket(view_model=name, root_object=savings))
        session.add(SysAsyncTicket(view_model="SavingsAccount.close", root_object=savings))
        session.add(SysAsyncTicket(view_model="Account.pay", root_object=savings))
        session.add(SysAsyncTicket(view_model="SavingsAccount.pay", root_object=savings))

    world.run()

    assert the_only(engine, Account).log == "audited audited 3 closed "
    *well, again, overridden, unmarked = errors(engine, SysAsyncTicket)
    assert well == [None] * 4
    assert again == "The precondition of SavingsAccount.close is false (is_open)."
    assert overridden == "SavingsAccount.pay overrides Account.pay but is not marked with @aw.method."
    assert unmarked is not None
    assert "'SavingsAccount.pay' is not marked with @aw.method" in unmarked


def test_a_precondition_that_raises_ends_the_ticket(engine: Engine) -> None:
    world = World(engine, Base)
    with world.session() as session, session.begin():
        account = Account()
        session.add(account)
        aw.later(account.broken)
        aw.later(account.pay)

    world.run()

    error, fine = errors(engine, SysAsyncTicket)
    assert error is not None
    assert error.startswith("AttributeError: 'str' object has no attribute 'no_such'")
    assert fine is None
    assert the_only(engine, Account).log == "paid "


def test_a_method_that_needs_arguments_has_no_timer() -> None:
    with pytest.raises(
        BadDeclaration, match=r"@aw.method on .*greet: it needs name, other, but a timer passes only self"
    ):

        @aw.method(when=aw.Every(minutes=1))
        def greet(self: object, name: str, *, other: int) -> None: ...


def test_an_async_method_inside_a_transaction_is_refused() -> None:
    with pytest.raises(BadDeclaration, match=r"@aw.method on .*greet: an async def .* Declare it external=True"):

        @aw.method
        async def greet(self: object) -> None: ...


def test_an_async_generator_is_refused() -> None:
    with pytest.raises(BadDeclaration, match="nobody awaits it"):

        @aw.method(external=True)
        async def greet(self: object) -> AsyncIterator[None]:
            yield


def test_an_async_action_inside_a_transaction_is_refused() -> None:
    with pytest.raises(BadDeclaration, match=r"Greeting.greet: an async def .* Declare it external=True"):

        class Greeting(aw.ViewModel[None]):
            @aw.action
            async def greet(self) -> None: ...


def test_an_async_function_inside_a_transaction_is_refused() -> None:
    app = aw.Afterwork(Base)
    with pytest.raises(BadDeclaration, match=r"@app.job on .*greet: an async def .* Declare it external=True"):

        @app.job
        async def greet() -> None: ...


def test_an_async_action_that_runs_once_is_refused() -> None:
    with pytest.raises(BadDeclaration, match="what runs once is not awaited"):

        class Upgrade(aw.ViewModel[None]):
            external = True
            when = aw.Once()

            @aw.action
            async def greet(self) -> None: ...


@pytest.mark.parametrize("is_async", [True, False])
def test_an_override_waits_as_the_method_does_that_it_overrides(is_async: bool) -> None:
    async def waits(self: object) -> None: ...
    def returns(self: object) -> None: ...

    base, own = (waits, returns) if is_async else (returns, waits)
    method: Any = aw.method(external=True)
    declared = type("Declared", (), {"greet": method(base)})
    overriding = type("Overriding", (declared,), {"greet": method(own)})

    with pytest.raises(WrongRoot, match="only one of the two is an async def"):
        check(MethodWork("Declared.greet", declared, vars(declared)["greet"]), overriding())


@pytest.mark.parametrize("what", [property(lambda self: None), classmethod(lambda cls: None), 1, print])
def test_what_is_no_function_is_refused(what: Any) -> None:
    with pytest.raises(BadDeclaration, match=r"@aw.method marks functions, not"):
        aw.method(what)


def test_a_function_without_self_is_refused() -> None:
    with pytest.raises(BadDeclaration, match="self"):
        aw.method(lambda: None)  # type: ignore[misc, arg-type]


def test_a_retry_policy_that_could_not_be_followed_is_refused() -> None:
    with pytest.raises(BadDeclaration, match="attempts=0"):
        aw.Retry(attempts=0)
    with pytest.raises(BadDeclaration, match="back in time"):
        aw.Retry(attempts=2, backoff=timedelta(seconds=-1))


def test_without_a_back_off_of_its_own_a_policy_doubles_the_delay_up_to_an_hour() -> None:
    retry = aw.Retry(attempts=100)

    delays = [retry.again_after(attempt, ValueError()) for attempt in (1, 2, 3, 10, 50, 99, 100)]

    hour = timedelta(hours=1)
    assert delays == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40), hour, hour, hour, None]


def test_a_policy_names_the_exceptions_that_are_worth_another_attempt() -> None:
    retry = aw.Retry(attempts=3, backoff=lambda attempt: timedelta(minutes=attempt), on=(OSError,))

    assert retry.again_after(2, ConnectionError()) == timedelta(minutes=2)
    assert retry.again_after(1, ValueError()) is None


def test_the_shops_customer_has_its_view_models_as_constants() -> None:
    assert Customer.ViewModels.TheCustomerNumberAssigner == "TheCustomerNumberAssigner"
