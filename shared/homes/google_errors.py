"""What Google's clients raise, as this product's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Unavailable, ValidationError


@contextmanager
def google_errors(service: str) -> Iterator[None]:
    """A refused argument is a ``ValidationError``, all other trouble ``Unavailable``.

    Preconditions and missing things mean different things at different calls: callers catch those
    inside.
    """
    from google.api_core.exceptions import GoogleAPIError, InvalidArgument
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except InvalidArgument as error:
        raise ValidationError(service, error.message) from error
    except (GoogleAPIError, GoogleAuthError) as error:
        raise Unavailable(service, str(error)) from error
