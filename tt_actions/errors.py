"""What a user did wrong: the command line shows these in one line, and anything else as a bug of ours."""


class UserError(ValueError):
    """What the user gave can't be used: the message says what was expected, what came and what to do."""


class UnreadableError(UserError):
    """A clip's file, or the part of it that was asked for, can't be used."""


class VideoError(UnreadableError):
    """A video file, or the part of it that was asked for, can't be used."""
