"""What can go wrong with the local stack.

LocalStackError
├── ApplicationMissing      the state machine or the handlers are not where they should be
├── SubstitutionError       the state machine's ${…} and the values given for them do not match
├── FilterError             a stream filter uses something the local poller does not know
├── UnsupportedMoto         another version of moto than the one the patches were tested with
├── StackAlreadyRunning     moto is one per process, so the stack is too; and one per folder
├── StackNotStarted         something was asked of a stack that does not run
├── KeptUnreadable          what the last stack here kept cannot be read
├── LoadRefused             a file that is no rows of words; nothing of it was written
├── UnknownFunction         an invocation names a function that the application does not have
├── InvokesRefused          the stack is stopping, or resetting, and takes no more invocations
├── TooManyRequests         every worker of a function stayed busy for as long as the function may run
└── StillRunning            a bounded wait ended before what it waited for
"""


class LocalStackError(Exception):
    """Root of the local stack's own errors."""


class ApplicationMissing(LocalStackError):
    """Run from a clone of the repository, or say where the application is."""


class SubstitutionError(LocalStackError):
    """Give exactly the values that the file asks for."""


class FilterError(LocalStackError):
    """Use exact values, `exists` or `prefix`."""


class UnsupportedMoto(LocalStackError):
    """Install the pinned version, or test the patches with the new one and raise the pin."""


class StackAlreadyRunning(LocalStackError):
    """Stop the running stack first, or use another process and another folder."""


class StackNotStarted(LocalStackError):
    """Call start() first."""


class KeptUnreadable(LocalStackError):
    """Move the folder away that the message names, and begin anew."""


class LoadRefused(LocalStackError):
    """Mend the line that the message names; nothing was written."""


class UnknownFunction(LocalStackError):
    """Name a function of the application."""


class InvokesRefused(LocalStackError):
    """Nothing to do: the stack is going down."""


class TooManyRequests(LocalStackError):
    """Retry later, as on AWS, or allow the function more workers."""


class StillRunning(LocalStackError):
    """Look at what still runs, or allow more time."""
