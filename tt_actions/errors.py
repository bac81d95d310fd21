"""Errors that the user can correct: the command line prints them in one line, other errors as bugs."""


class UserError(ValueError):
    """An input of the user can't be used: the message says what was expected, what came and what to do."""


class UnreadableError(UserError):
    """A clip's file, or the requested part of it, can't be used."""


class VideoError(UnreadableError):
    """A video file, or the requested part of it, can't be used."""
