"""Flask with Flask-SQLAlchemy. It is WSGI, so a server of its own runs the jobs, and shows the page:

    flask --app examples.frameworks.flask_app run
    afterwork serve examples.frameworks.flask_app:work --database URL --web 127.0.0.1:8008

Under gunicorn, each worker may also run the jobs itself: see gunicorn_conf.py beside this file.
"""

import os

from flask import Flask, session
from flask.sessions import SecureCookieSessionInterface
from flask_sqlalchemy import SQLAlchemy
from itsdangerous import BadSignature
from sqlalchemy import false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.requests import Request

import afterwork as aw


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class SysAsyncTicket(aw.AsyncTicket, db.Model):  # type: ignore[name-defined, misc]
    pass


class Order(db.Model):  # type: ignore[name-defined, misc]
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    tax: Mapped[int] = mapped_column(default=0, server_default="0")
    confirmed: Mapped[bool] = mapped_column(default=False, server_default=false())

    @aw.derived(tax)
    def compute_tax(self) -> int:
        return self.amount // 5

    @aw.method
    def confirm(self) -> None:
        self.confirmed = True


work = aw.Afterwork(db.Model)


def create(url: str | None = None) -> Flask:
    """Return the application on a database: the given one, or the one that the environment names."""
    application = Flask(__name__)
    application.secret_key = os.environ.get("SECRET", "only for trying it out")
    application.config["SQLALCHEMY_DATABASE_URI"] = url or os.environ.get("DATABASE_URL") or "sqlite:///orders.db"
    db.init_app(application)

    @application.post("/login/<name>")
    def log_in(name: str) -> str:
        session["user"] = name  # yours asks for a password
        return name

    @application.post("/orders/<int:amount>")
    def order(amount: int) -> dict[str, int]:
        placed = Order(amount=amount)
        db.session.add(placed)
        aw.later(placed.confirm)
        db.session.commit()
        return {"id": placed.id}

    @application.get("/orders/<int:key>")
    def show(key: int) -> dict[str, object]:
        found = db.get_or_404(Order, key)
        return {"tax": found.tax, "confirmed": found.confirmed, "process": os.getpid()}

    return application


def page(application: Flask) -> Starlette:
    """Return the page for those who are logged in to Flask, as an ASGI program of its own behind the same proxy.

    A browser sends Flask's cookie there, too, since cookies know hosts and no ports.
    """
    signed = SecureCookieSessionInterface().get_signing_serializer(application)
    assert signed is not None  # there is a secret key

    def visitor(request: Request) -> aw.Identity | None:
        try:
            seen = signed.loads(request.cookies.get("session", ""), max_age=31 * 24 * 3600)
        except BadSignature:
            return None
        return aw.Identity(seen["user"], may_act=True) if "user" in seen else None

    with application.app_context():
        return aw.web(work, db.engine, authenticate=visitor, secret=str(application.secret_key))
