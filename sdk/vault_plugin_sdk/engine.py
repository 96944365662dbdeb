"""All that an engine is written with, in one place. `vault_plugin_sdk.wire.serve` runs it, `.testing` tests it."""

from vault_plugin_sdk.framework.backend import Backend, SpecialPaths
from vault_plugin_sdk.framework.fields import (
    ABSENT,
    BOOLEAN,
    DURATION,
    FLOAT,
    INTEGER,
    INTEGERS,
    LIST,
    LOWERCASE,
    MAP,
    PAIRS,
    REQUIRED,
    SECRET,
    SIGNED_DURATION,
    TEXT,
    TIME,
    Field,
    build,
    field,
    fields_of,
    read_back,
)
from vault_plugin_sdk.framework.path import Description, Path
from vault_plugin_sdk.framework.records import Records
from vault_plugin_sdk.framework.secret import Secret
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.framework.wal import WriteAheadLog
from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, InternalError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller, Lease, Operation, Request
from vault_plugin_sdk.logical.response import LeaseGrant, Response, listing
from vault_plugin_sdk.logical.storage import ConflictError, ReadOnlyStorageError, Storage, StorageError
from vault_plugin_sdk.logical.system import NotOfferedError, SystemView

__all__ = [
    "ABSENT",
    "BOOLEAN",
    "DURATION",
    "FLOAT",
    "INTEGER",
    "INTEGERS",
    "LIST",
    "LOWERCASE",
    "MAP",
    "PAIRS",
    "REQUIRED",
    "SECRET",
    "SIGNED_DURATION",
    "TEXT",
    "TIME",
    "Backend",
    "Caller",
    "CallerError",
    "ConflictError",
    "Description",
    "Field",
    "ForwardToActive",
    "InternalError",
    "Lease",
    "LeaseGrant",
    "NotOfferedError",
    "Operation",
    "OperatorError",
    "Path",
    "ReadOnlyStorageError",
    "Records",
    "Request",
    "Response",
    "Secret",
    "SecretStr",
    "SpecialPaths",
    "Storage",
    "StorageError",
    "SystemView",
    "TransientError",
    "WriteAheadLog",
    "build",
    "field",
    "fields_of",
    "listing",
    "read_back",
]
