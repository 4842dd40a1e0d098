"""The two ways a request can fail that a person can do something about."""


class InputError(ValueError):
    """What was given cannot be used: the message says what, which item, and what is allowed."""


class WorkError(RuntimeError):
    """The input was fine but the work failed: the message says at what, and what to do next."""
