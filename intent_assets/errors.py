"""The four ways the platform says no. What they mean decides what happens next.

Messages state what was expected, what came (counts, up to three ids) and the next move. Nothing else belongs here.
"""

from collections.abc import Iterable


class IntentAssetsError(Exception):
    """Base of every error raised on purpose by this package; its text is written for the user."""


class BadInput(IntentAssetsError):
    """What was given can never work: a wrong setting, file, row or artefact. Never retried."""


class StopRun(IntentAssetsError):
    """The run must end now and a person must act: no space, no permission, no credit, another store version."""


class TryAgain(IntentAssetsError):
    """A passing fault: a busy lease, a rate limit, a cut connection. Retrying the same call may succeed."""


class MissingUpstream(IntentAssetsError):
    """Something this step reads has never been made; the message names the job that makes it."""


def some(ids: Iterable[object], limit: int = 3) -> str:
    """Return up to `limit` ids for an error message, with the number left out: `a, b, c (+7 more)`."""
    listed = [str(item) for item in ids]
    shown = ", ".join(listed[:limit])
    return f"{shown} (+{len(listed) - limit} more)" if len(listed) > limit else shown
