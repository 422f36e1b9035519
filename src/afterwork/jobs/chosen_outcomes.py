"""Outcomes that the code of a run chooses itself: another attempt after a pause, or the end."""

from datetime import timedelta
from typing import NoReturn

from afterwork.errors import BadRequest, EndedForGood, RunAgain, shown
from afterwork.model.retry import MAX_WAIT


def retry_in(pause: timedelta, why: str = "") -> NoReturn:
    """End this attempt, and let the run have another one after a pause, whatever its retry policy says.

    Nothing of this attempt is saved. `why` stands in the log. There is no limit but the ticket's NotAfter, so look at
    `aw.current_run().attempt`, and call `aw.give_up` in time. Always raises `RunAgain`, which the code must let pass;
    `BadRequest` if the pause is no timedelta from 0 to 100 years. What is calculated, rather than asked for, fails
    with it.
    """
    if not isinstance(pause, timedelta) or not timedelta(0) <= pause <= MAX_WAIT:
        raise BadRequest(f"aw.retry_in({shown(pause)}): give a timedelta from 0 on, such as timedelta(minutes=5).")
    raise RunAgain(pause, str(why))


def give_up(why: str) -> NoReturn:
    """End the run for good, whatever its retry policy says. `why` stands in the ticket's Error.

    Nothing of the run is saved. Always raises `EndedForGood`, which the code must let pass; `BadRequest` without a
    reason.
    """
    if not isinstance(why, str) or not why.strip():
        raise BadRequest(f'aw.give_up({shown(why)}): give the reason as a text, such as "the card has expired".')
    raise EndedForGood(why)
