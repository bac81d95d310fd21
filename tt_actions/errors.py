"""Errors that the user can correct: the command line prints them in one line, other errors as bugs."""


class UserError(ValueError):
    """An input can't be used: the message says what was expected, what was given, and how to fix it."""


class UnreadableError(UserError):
    """A clip's file, or the requested part of it, can't be used."""


class VideoError(UnreadableError):
    """A video file, or the requested part of it, can't be used."""
