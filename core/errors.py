"""Every error Lookout raises, named for what dies.

LookoutError
|-- ConfigError              nothing starts; names file, key and what is allowed
|-- DataError                a file of data is not used; names file, line and what is wrong
|-- FrameError               this frame is lost, and counted
|-- AnswerError              this answer ends; the conversation lives
|   |-- QuestionTooLong
|   |-- Busy                 retryable
|   |-- CameraBlind          retryable: nothing has been seen yet
|   `-- GenerationFailed
|-- CameraError              this camera is not to be had; the others go on
|   |-- CameraNotFound
|   |-- CameraExists
|   |-- CapacityExceeded     no memory left to give it
|   |-- Overloaded           retryable: no time left to watch it
|   |-- MemoryDamaged        what was saved of it is not whole: it starts empty
|   |-- MemoryForeign        what was saved of it fits no more: it starts empty
|   |-- MemoryNotSaved       retryable: the disk would not take it
|   |-- MemoryLost           what it remembered is gone, and it cannot begin anew
|   `-- SourceUnavailable    retried for ever; carries a reason
|-- ConversationError        this conversation closes
|   |-- ProtocolViolation
|   `-- ClientTooSlow
`-- EngineError              the process ends
    |-- ModelLoadFailed
    `-- EngineDead
"""

from __future__ import annotations

from typing import ClassVar, Literal

Reason = Literal[
    "auth", "not_found", "timeout", "refused", "codec", "no_keyframe", "tls", "ended", "unknown"
]


class LookoutError(Exception):
    """Base of all; `code` is what crosses the wire."""

    retryable: ClassVar[bool] = False
    code: ClassVar[str] = "lookout_error"
    exit_status: ClassVar[int] = 1  # of a command that it ends


class ConfigError(LookoutError):
    """A setting is unknown, of the wrong type or out of range."""

    code = "invalid_configuration"
    exit_status = 2


class DataError(LookoutError):
    """A file of data holds something that cannot be used."""

    code = "invalid_data"


class FrameError(LookoutError):
    """One frame could not be read."""

    code = "invalid_frame"


class AnswerError(LookoutError):
    """One answer ends."""

    code = "answer_failed"


class QuestionTooLong(AnswerError):
    """The question does not fit."""

    code = "question_too_long"


class Busy(AnswerError):
    """Too many answers are being given; `retry_after_s` says about how long to wait, if known."""

    retryable = True
    code = "busy"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class CameraBlind(AnswerError):
    """The camera has delivered nothing yet."""

    retryable = True
    code = "camera_blind"


class GenerationFailed(AnswerError):
    """The model failed on this answer."""

    code = "generation_failed"


class CameraError(LookoutError):
    """One camera is not to be had."""

    code = "camera_error"


class CameraNotFound(CameraError):
    """No camera has this name."""

    code = "camera_not_found"


class CameraExists(CameraError):
    """The name is taken."""

    code = "camera_exists"


class CapacityExceeded(CameraError):
    """No memory is left to give."""

    code = "capacity_exceeded"


class Overloaded(CameraError):
    """The engine has no time left to watch one more; the message says how much it would need."""

    retryable = True
    code = "overloaded"


class MemoryDamaged(CameraError):
    """A saved memory is not what was written."""

    code = "memory_damaged"


class MemoryForeign(CameraError):
    """A saved memory is whole, but of another model, version or configuration."""

    code = "memory_foreign"


class MemoryNotSaved(CameraError):
    """A memory could not be written to disk."""

    retryable = True
    code = "memory_not_saved"


class MemoryLost(CameraError):
    """What a camera remembered was damaged and given up, and there is no room to begin anew."""

    code = "memory_lost"


class SourceUnavailable(CameraError):
    """The source cannot be opened or stopped delivering; `reason` says why."""

    retryable = True
    code = "source_unavailable"

    def __init__(self, message: str, reason: Reason = "unknown") -> None:
        super().__init__(message)
        self.reason: Reason = reason


class ConversationError(LookoutError):
    """One conversation closes."""

    code = "conversation_error"


class ProtocolViolation(ConversationError):
    """The client sent what the protocol does not know."""

    code = "protocol_violation"


class ConnectionLost(ConversationError):
    """The server cannot be reached, or is no longer there."""

    retryable = True
    code = "connection_lost"


class ClientTooSlow(ConversationError):
    """The client does not read what it asked for."""

    code = "slow_consumer"


class RequestRefused(LookoutError):
    """One request of a client is not carried out."""

    code = "request_refused"


class Unauthorized(RequestRefused):
    """Nobody may come in with this."""

    code = "unauthorized"


class TokenExpired(Unauthorized):
    """The token was good once."""

    retryable = True
    code = "token_expired"


class Forbidden(RequestRefused):
    """Known, but not allowed to do this."""

    code = "forbidden"


class InvalidRequest(RequestRefused):
    """The request is understood, and what it holds is not acceptable."""

    code = "invalid_request"


class NoQuestion(RequestRefused):
    """There is nothing to answer."""

    code = "no_question"


class Unsupported(RequestRefused):
    """Part of the protocol that this server does not offer."""

    code = "unsupported"


class EngineError(LookoutError):
    """The process cannot go on."""

    code = "engine_error"


class ModelLoadFailed(EngineError):
    """The model folder or id cannot be loaded."""

    code = "model_load_failed"


class EngineDead(EngineError):
    """The engine's thread has ended."""

    code = "engine_dead"
