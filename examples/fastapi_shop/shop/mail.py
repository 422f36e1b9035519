"""Mail to customers. This one goes to the log; yours goes to a mail server."""

import logging

logger = logging.getLogger(__name__)


def send(recipient: str, text: str, key: str) -> None:
    """Hand over a mail. A mail server that has had a mail with this key drops it."""
    logger.info("to %s: %s (%s)", recipient, text, key)
