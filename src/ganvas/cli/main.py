"""The entry point of the command line."""

from __future__ import annotations

import os
import sys

from ganvas import __version__
from ganvas.cli import early
from ganvas.core.console import app
from ganvas.core.errors import UserError
from ganvas.core.terminal import prepare, say

app.version = __version__
app.register_install_completion_command(help="Let the tab key complete commands and options, in bash, zsh and fish.")


def main() -> None:
    """Run the command line: exit code 0, or 2 for the user's mistakes, 130 after Ctrl-C."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    prepare()
    try:
        code = app(early.checked(early.without_code(arguments)), result_action="return_value")
        sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:  # the reader of our output has closed it, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (UserError, OSError) as error:
        if debug:
            raise
        if os.environ.get("LOCAL_RANK", "0") == "0":  # only one process on each machine prints it
            say(f"ganvas: {error}", error=True)
        if isinstance(error, OSError):  # perhaps stdout itself cannot be written: do not try again at exit
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        sys.exit(2)
    except KeyboardInterrupt:
        say("\nganvas: stopped at once; what was saved before is kept.", error=True)
        sys.exit(130)
