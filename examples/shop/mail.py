"""Mail that is sent sooner or later, or says why not: the mail server is tried again while that may help."""

import os
from datetime import timedelta
from email.message import EmailMessage
from smtplib import SMTP, SMTPException, SMTPNotSupportedError, SMTPRecipientsRefused, SMTPResponseException
from typing import Any
from uuid import uuid4

from sqlalchemy.orm import Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from examples.shop.model import Base

SMTP_SERVER = "SHOP_SMTP"
"""The environment variable with the address of the mail server, such as `localhost:25`."""

SENDER = "shop@example.com"
PATIENCE = 20
"""The time limit for each answer of the mail server, in seconds."""

MOST_TRIES = 5
FIRST_PAUSE = timedelta(minutes=1)
GIVEN_UP = timedelta(days=1)
"""The time after which an attempt counts as lost: its server has died too often, or it was cancelled by hand."""


@aw.track_history
class MailFlow(StateChart["OutgoingMail"]):
    """The states of a mail. Saving a mail is enough to have it sent."""

    queued = State(initial=True)
    sending = State()
    retrying = State()
    sent = State(final=True)
    failed = State(final=True)

    queued.to(sending)
    accept = sending.to(sent)
    defer = sending.to(retrying, cond="may_be_tried_again") | sending.to(failed)
    refuse = sending.to(failed)
    again = retrying.to(sending)

    def on_enter_sending(self, model: "OutgoingMail") -> None:
        """Ask for it to be sent, and limit the time to wait for that."""
        model.tries += 1
        aw.while_in(model.flow.defer, after=GIVEN_UP)
        aw.later(SendMail(model))

    def on_enter_retrying(self, model: "OutgoingMail") -> None:
        """Wait longer each time: 1, 4, 16 and 64 minutes."""
        aw.while_in(model.flow.again, after=FIRST_PAUSE * 4 ** (model.tries - 1))


class OutgoingMail(Base):
    __tablename__ = "outgoing_mail"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(default=lambda: uuid4().hex, unique=True)
    """The key by which other systems recognise the mail, however often it is sent."""
    recipient: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    answer: Mapped[str | None]
    """The mail server's answer when it refused the mail."""
    state: Mapped[str | None] = mapped_column(index=True)
    flow = aw.machine(MailFlow, state=state)

    @property
    def may_be_tried_again(self) -> bool:
        return self.tries < MOST_TRIES


class SendMail(aw.ViewModel, root=OutgoingMail):
    """Hands a mail to the mail server. That is slow, so it runs with no transaction open, in parallel with other work.

    If this process or the connection dies just when the server has taken it, it comes again, with the same Message-ID.
    """

    lane = None
    external = True
    smtp: str = aw.variable()

    @aw.action(enabled=lambda self: aw.can(self.root.flow.accept))
    def send(self) -> None:
        deliver(self.root, self.smtp)


def deliver(mail: Any, server: str) -> None:
    """Hand a mail to a mail server, and send its machine the event for the result."""
    try:
        hand_over(server, message_of(mail))
    except (SMTPException, OSError, ValueError) as error:
        mail.answer = f"{type(error).__name__}: {error}"
        if is_for_good(error):
            mail.flow.refuse()
        else:
            mail.flow.defer()
    else:
        mail.flow.accept()


def message_of(mail: Any) -> EmailMessage:
    """Return a mail as a message. Raises `ValueError` for content that a message can't have."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, mail.recipient, mail.subject
    message["Message-ID"] = f"<{mail.key}@{SENDER.partition('@')[2]}>"
    message.set_content(mail.text)
    return message


def hand_over(server: str, message: EmailMessage) -> None:
    """Give a message to a mail server, `host:port`. Raises the exceptions of smtplib."""
    host, _, port = server.rpartition(":")
    with SMTP(host, int(port), timeout=PATIENCE) as connection:
        connection.send_message(message)


def is_for_good(error: Exception) -> bool:
    """Return whether the same mail would be refused again: the server's code is 500 or more."""
    match error:
        case SMTPRecipientsRefused(recipients=refused):
            return all(code >= 500 for code, _ in refused.values())
        case SMTPResponseException(smtp_code=code):
            return code >= 500
        case _:
            return isinstance(error, ValueError | SMTPNotSupportedError)


def smtp_server() -> str:
    """Return the mail server that the environment names."""
    return os.environ.get(SMTP_SERVER, "localhost:25")
