"""Which function processes run now: `GET /_host/environments`. A test that wants to see what a kill does finds its victim here."""

from __future__ import annotations

import threading
from typing import TypedDict


class Environment(TypedDict):
    """An execution environment as the endpoint shows it."""

    # The function's name, account and region.
    function: str
    account: str
    region: str
    # The process, alive when it was asked for.
    pid: int
    # What it works on; null between invocations.
    requestId: str | None


_lock = threading.Lock()
_environments: dict[str, Environment] = {}


def put(id: str, environment: Environment) -> None:
    """Shows the environment `id` as that from now on."""
    with _lock:
        _environments[id] = environment


def remove(id: str) -> None:
    """Shows the environment `id` no more."""
    with _lock:
        _environments.pop(id, None)


def all() -> list[Environment]:
    """All, in the order they were started."""
    with _lock:
        return list(_environments.values())
