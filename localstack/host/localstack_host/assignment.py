"""Many execution environments of one function at the same time, which LocalStack's own bookkeeping is not safe for."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from localstack.services.lambda_.invocation.assignment import AssignmentService
from localstack.services.lambda_.invocation.execution_environment import (
    ExecutionEnvironment,
    InitializationType,
    InvalidStatusException,
)
from localstack.utils.patch import patch


class _Environments(dict[str, ExecutionEnvironment]):
    """Its values can be looked through while another thread adds one; a plain dict's cannot."""

    def values(self) -> Any:
        return list(super().values())


def install() -> None:
    """Patches LocalStack; once, before its first function."""

    @patch(AssignmentService.__init__)
    def init(original: Callable[..., None], self: AssignmentService) -> None:
        original(self)
        self.environments = defaultdict(_Environments)

    # An environment that was started for an invocation is that invocation's. Without this another thread takes it as soon as it is
    # listed, and the invocation fails that it was started for.

    @patch(ExecutionEnvironment.start)
    def start(original: Callable[..., None], self: ExecutionEnvironment) -> None:
        if self.initialization_type == InitializationType.on_demand:
            self.started_for = threading.get_ident()
        original(self)

    @patch(ExecutionEnvironment.reserve)
    def reserve(original: Callable[..., None], self: ExecutionEnvironment) -> None:
        if getattr(self, "started_for", None) not in (None, threading.get_ident()):
            raise InvalidStatusException(f"Execution environment {self.id} was started for another invocation.")
        original(self)
        self.started_for = None
