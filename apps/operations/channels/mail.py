"""A message as an e-mail: text only, one receiver, the same Message-ID at every try."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage

from apps.operations.channels.failing import NotDelivered
from apps.operations.models import Message

SHOWN_ABOVE = ("words", "url")


def send_mail(message: Message) -> None:
    """Cost: one SMTP session, EMAIL_TIMEOUT a step. Errors: NotDelivered, for good where the receiver is refused for good."""
    words = " ".join(str(message.payload["words"]).split())
    mail = EmailMessage(
        subject=f"[Signalbox] {words}",
        body="\n".join(_lines(message)),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[message.place],
        headers={
            "Message-ID": f"<{message.uid}@{urlsplit(settings.PUBLIC_URL).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    try:
        mail.send()
    except smtplib.SMTPRecipientsRefused as error:
        codes = [code for code, _ in error.recipients.values()]
        for_good = all(code >= 500 for code in codes)
        raise NotDelivered(f"The mail server refused the receiver ({_said(codes)}).", for_good=for_good) from error
    except smtplib.SMTPResponseException as error:
        raise NotDelivered(f"The mail server refused it ({error.smtp_code}).") from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"The mail server could not be used ({type(error).__name__}).") from error


def _said(codes: list[int]) -> str:
    return ", ".join(map(str, codes))


def _lines(message: Message) -> Iterator[str]:
    payload = message.payload
    yield f"{payload['words']}."
    yield ""
    for label, value in payload.items():
        if label not in SHOWN_ABOVE:
            yield f"{label.replace('_', ' ')}: {value}"
    yield ""
    yield str(payload["url"])
