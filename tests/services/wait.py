"""Waiting in a test without sleeping for a guessed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    probe: Callable[[], T | Awaitable[T]], timeout: float = 30.0, every: float = 0.05
) -> T:
    """The first truthy answer of `probe`, plain or async, asked every `every` seconds.

    The event loop runs between the questions, so whatever a test started in it goes on. After
    `timeout` seconds it raises AssertionError with the last answer.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s; the last answer was {value!r}")
        await asyncio.sleep(every)
