"""Messages between a process and its workers: a length, a JSON header, raw bytes. Nothing is unpickled.

Both ends use plain file descriptors. The parent waits with a deadline; the worker waits for as long as it takes.
"""

from __future__ import annotations

import json
import math
import os
import select
import struct
import time
from collections.abc import Mapping
from typing import Any

_LENGTHS = struct.Struct("<IQ")
MAX_HEADER_BYTES = 1 << 20
MAX_PAYLOAD_BYTES = 1 << 32


def send(descriptor: int, header: Mapping[str, Any], payload: memoryview | bytes = b"") -> None:
    """Write one message whole. Raises BrokenPipeError where nobody reads any more."""
    text = json.dumps(header).encode("ascii")  # names that are no UTF-8 travel as escaped surrogates
    for part in (_LENGTHS.pack(len(text), len(payload)), text, payload):
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view):]


def receive(descriptor: int, *, deadline: float = math.inf) -> tuple[dict[str, Any], bytearray]:
    """Read one message.

    deadline: on time.monotonic()'s clock, seconds.

    Raises:
        EOFError: the other end is gone, or speaks something else.
        TimeoutError: the deadline passed first.
    """
    header_bytes, payload_bytes = _LENGTHS.unpack(_exactly(descriptor, _LENGTHS.size, deadline))
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise EOFError("the other end does not keep to the protocol")
    text = _exactly(descriptor, header_bytes, deadline)
    try:
        header = json.loads(text)
    except ValueError as error:
        raise EOFError("the other end does not keep to the protocol") from error
    return header, _exactly(descriptor, payload_bytes, deadline)


def _exactly(descriptor: int, count: int, deadline: float) -> bytearray:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        _await(descriptor, deadline)
        read = os.readv(descriptor, [view])
        if read == 0:
            raise EOFError("the other end is gone")
        view = view[read:]
    return data


def _await(descriptor: int, deadline: float) -> None:
    if deadline == math.inf:
        return
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise TimeoutError
