"""Errors, with the one line that the program itself would print.

Ctrl-C is not among them: it stays ``KeyboardInterrupt``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from missive.result import Result

__all__ = ["Error", "InputError", "RunError", "NotAvailable"]


class Error(Exception):
    """Base of all errors of this package."""


class InputError(Error, ValueError):
    """A file, option or value that is not what it should be (exit status 2 of the program)."""


class RunError(Error, RuntimeError):
    """Something was started and did not succeed (exit status 1, or the child died).

    ``result`` holds what had been done by then, or is None.
    """

    def __init__(self, message: str, result: Result | None = None) -> None:
        super().__init__(message)
        self.result = result


class NotAvailable(Error, RuntimeError):
    """This host cannot do it; the message says what is missing (exit status 4)."""
