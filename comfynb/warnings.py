"""Typed warnings for degraded behaviour.

::

    ComfyWarning
    ├── UnknownStatusWarning    the server used a status that is not known; it is taken as "not ended"
    ├── SchemaDriftWarning      an answer lacks or changes something that comfynb relies on
    ├── StalledRunWarning       a run does not change any more; its outputs are handed over
    ├── PartialResultWarning    a table is complete but for what the server could not give
    ├── RecoveredSubmitWarning  a submit's answer was lost, and its run was found in the run list
    ├── UncertainSubmitWarning  a submit was cut off, and whether it started a run is not known
    ├── StaleDataWarning        the server is away, and what was read before is shown; said once
    ├── CacheWarning            a cache cannot be read or written; reads go on without it
    ├── JournalWarning          a submit could not be written down; it is sent all the same
    ├── UploadWarning           a file will be uploaded to where others can read it; said once
    ├── UnencryptedWarning      the key goes over the network without TLS; said at each connect()
    ├── WebhookWarning          no webhook of a run came, or none can; runs are asked for as always
    └── RoutingWarning          a run goes where no rule sends it, or to another machine than the first
        └── MisroutedRunWarning the server runs it on another machine than the one that was asked for

Use the standard `warnings` filters to silence one or to turn it into an error.

Examples
--------
>>> import warnings, comfynb.warnings
>>> warnings.simplefilter("ignore", comfynb.warnings.SchemaDriftWarning)
"""

from __future__ import annotations

__all__ = [
    "CacheWarning",
    "ComfyWarning",
    "JournalWarning",
    "MisroutedRunWarning",
    "PartialResultWarning",
    "RecoveredSubmitWarning",
    "RoutingWarning",
    "SchemaDriftWarning",
    "StaleDataWarning",
    "StalledRunWarning",
    "UncertainSubmitWarning",
    "UnencryptedWarning",
    "UnknownStatusWarning",
    "UploadWarning",
    "WebhookWarning",
]


class ComfyWarning(UserWarning):
    """The base of every warning of comfynb."""


class UnencryptedWarning(ComfyWarning):
    """The key goes over the network without TLS, so that whoever is on the way can read it."""


class UnknownStatusWarning(ComfyWarning):
    """The server used a status that is not known; it is taken as "not ended"."""


class SchemaDriftWarning(ComfyWarning):
    """An answer lacks or changes something that comfynb relies on."""


class StalledRunWarning(ComfyWarning):
    """A run does not change any more; its outputs so far are handed over. It is not called a success."""


class PartialResultWarning(ComfyWarning):
    """A table is complete but for what the server could not give; the message says what is missing."""


class RecoveredSubmitWarning(ComfyWarning):
    """A submit got no usable answer, and its run was found in the run list."""


class UncertainSubmitWarning(ComfyWarning):
    """A submit was cut off, and whether it started a run is not known; the message says what could be found out."""


class StaleDataWarning(ComfyWarning):
    """The server cannot be reached, and what was read before is shown; said once until it is back."""


class CacheWarning(ComfyWarning):
    """A cache on disk or in Redis cannot be read or written. Reads go on without it, and ask the server."""


class JournalWarning(ComfyWarning):
    """A submit could not be written into the journal. It is sent all the same; a crash could lose its run."""


class UploadWarning(ComfyWarning):
    """A file will be uploaded, and by default everybody who knows its address can read it; said once a connection."""


class WebhookWarning(ComfyWarning):
    """No webhook of a run came, or none can reach the receiver. Runs are asked for as always; said once a receiver."""


class RoutingWarning(ComfyWarning):
    """A run goes where no rule sends it, or to another machine since the first could not take it."""


class MisroutedRunWarning(RoutingWarning):
    """A run was sent to one machine, and the server says that it runs on another."""
