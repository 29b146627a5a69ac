# SPDX-License-Identifier: Apache-2.0
"""What no log may show: every maker of tokens, signatures and the like tells it here."""

_known = {}
# So much of a long one is enough to find it, cut short as well.
_PIECE = 32
# A flood makes them by the ten thousand: so many of the first and of the last are looked for.
_MOST = 400


def remember(value):
    """Gives the value back."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    for part in text.split("."):
        if len(part) >= 8:
            _known[part if len(part) <= 2 * _PIECE else part[-_PIECE - 8:-8]] = True
    return value


def found_in(text):
    secrets = list(_known)
    return [secret for secret in {*secrets[:_MOST], *secrets[-_MOST:]} if secret in text]
