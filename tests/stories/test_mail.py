"""Sending mail: it is saved with the data, and goes out as soon as a mail server takes it, a real one here."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import Engine, delete

from examples.shop.mail import MOST_TRIES
from tests.stories.conftest import of_both
from tests.support.mailbox import Mailbox, Mood, open_mailbox
from tests.support.world import World, errors, everything, the_only


@dataclass
class MailStory(World):
    """A shop that writes to Ann, in which time passes when the test says so."""

    model: Any = None

    def write(self, recipient: str = "ann@example.com", subject: str = "Your order") -> None:
        """Save a mail, as an application does with its data. That is all."""
        with self.session() as session, session.begin():
            session.add(
                self.model.OutgoingMail(recipient=recipient, subject=subject, text="Dear Ann, it is on its way.")
            )

    @property
    def mail(self) -> Any:
        return the_only(self.engine, self.model.OutgoingMail)

    def wait(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))
        self.run()

    @property
    def pauses(self) -> list[int]:
        """In how many minutes it will be tried again."""
        again = [
            t
            for t in everything(self.engine, self.model.SysAsyncTicket)
            if ".again" in (t.view_model or "") and not t.done
        ]
        return [round((ticket.execute_earliest - self.clock.now()).total_seconds() / 60) for ticket in again]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def story(engine: Engine, mailbox: Mailbox, model: ModuleType) -> Iterator[MailStory]:
    with open_mailbox(mailbox) as address:
        yield MailStory(engine, model.Base, variables={"smtp": address}, model=model)


def test_a_mail_is_queued_when_it_is_saved_and_soon_sent(story: MailStory, mailbox: Mailbox) -> None:
    story.write()
    assert story.mail.state == "queued"

    story.run()

    assert story.mail.state == "sent"
    (message,) = mailbox.messages
    assert (message["To"], message["Subject"]) == ("ann@example.com", "Your order")
    assert mailbox.ids == [f"<{story.mail.key}@example.com>"]
    assert errors(story.engine, story.model.SysAsyncTicket) == [None]


def test_a_mail_that_is_not_saved_is_not_sent(story: MailStory, mailbox: Mailbox) -> None:
    with story.session() as session:
        session.add(story.model.OutgoingMail(recipient="ann@example.com", subject="Oh", text="Never mind."))
        session.flush()
        session.rollback()

    story.run()

    assert mailbox.came == 0


@pytest.mark.parametrize("mood", ["defers", "hangs up"])
def test_a_server_that_defers_it_or_loses_the_connection_is_asked_again(
    story: MailStory, mailbox: Mailbox, mood: Mood
) -> None:
    mailbox.be(mood)
    story.write()
    story.run()
    assert story.mail.state == "retrying"
    assert story.mail.answer is not None

    story.wait(seconds=50)
    assert story.mail.state == "retrying"
    story.wait(seconds=20)

    assert story.mail.state == "sent"
    assert story.mail.tries == 2
    assert len(mailbox.messages) == 1


def test_a_server_that_is_not_there_is_asked_again(engine: Engine, mailbox: Mailbox, model: ModuleType) -> None:
    with open_mailbox(mailbox) as address:
        pass  # it has had its port, and is gone
    story = MailStory(engine, model.Base, variables={"smtp": address}, model=model)
    story.write()

    story.run()

    assert story.mail.state == "retrying"
    assert "ConnectionRefusedError" in (story.mail.answer or "")


@of_both
def test_it_is_asked_again_after_pauses_that_grow_until_it_is_given_up(story: MailStory, mailbox: Mailbox) -> None:
    mailbox.be(then="defers")
    story.write()
    story.run()

    while story.mail.state == "retrying":
        story.clock.advance(timedelta(minutes=65))
        story.run()
        assert mailbox.came <= MOST_TRIES

    assert story.mail.state == "failed"
    assert story.mail.tries == mailbox.came == MOST_TRIES
    assert story.mail.answer == "SMTPDataError: (451, b'Come later')"
    story.wait(days=1)
    assert mailbox.came == MOST_TRIES


def test_the_pauses_are_1_4_16_and_64_minutes(story: MailStory, mailbox: Mailbox) -> None:
    mailbox.be(then="hangs up")
    story.write()
    pauses = []
    for _ in range(MOST_TRIES - 1):
        story.run()
        pauses += story.pauses
        story.clock.advance(timedelta(minutes=pauses[-1]))

    assert pauses == [1, 4, 16, 64]


@pytest.mark.parametrize(
    ("mood", "said"), [("refuses", "This is spam"), ("knows nobody", "ann@example.com does not live here")]
)
def test_a_server_that_refuses_it_for_good_is_not_asked_again(
    story: MailStory, mailbox: Mailbox, mood: Mood, said: str
) -> None:
    mailbox.be(mood)
    story.write()

    story.run()

    assert story.mail.state == "failed"
    assert said in (story.mail.answer or "")
    story.wait(days=1)
    assert mailbox.came == 1


def test_a_mail_that_is_none_is_not_tried_twice(story: MailStory, mailbox: Mailbox) -> None:
    story.write(subject="Two\nlines")

    story.run()

    assert story.mail.state == "failed"
    assert "ValueError" in (story.mail.answer or "")
    assert mailbox.came == 0


def test_a_mail_that_was_taken_in_silence_comes_twice_under_the_same_id(story: MailStory, mailbox: Mailbox) -> None:
    mailbox.be("takes it and hangs up")
    story.write()
    story.run()
    assert story.mail.state == "retrying"

    story.wait(minutes=2)

    assert story.mail.state == "sent"
    assert len(mailbox.ids) == 2
    assert len(set(mailbox.ids)) == 1


def test_a_try_of_which_nothing_is_heard_for_a_day_is_made_again(story: MailStory, mailbox: Mailbox) -> None:
    story.write()
    with story.session() as session, session.begin():
        session.get_one(story.model.OutgoingMail, 1).state_machine_trigger()
        session.flush()
        ticket = story.model.SysAsyncTicket
        session.execute(delete(ticket).where(ticket.view_model == "SendMail"))
    story.run()
    assert story.mail.state == "sending"

    story.wait(hours=25)

    assert story.mail.state == "retrying"
    story.wait(minutes=2)
    assert story.mail.state == "sent"
    assert story.mail.tries == 2
