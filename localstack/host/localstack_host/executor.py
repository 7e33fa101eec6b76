"""Functions as plain processes (`LAMBDA_RUNTIME_EXECUTOR=process`): an OS-only runtime's `bootstrap`, one process for each
execution environment, started when there is something to do and again after it died.

Every function also gets the variables of `LAMBDA_DOCKER_FLAGS="-e NAME=VALUE …"`, which win over its own, as they do in Docker. The
other flags mean nothing here.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from localstack import config
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor
from localstack.utils.container_utils.container_client import Util

from localstack_host import environments
from localstack_host.runtime import Invocation, Outcome, Runtime, memory_mb


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """LocalStack asks for it by its name."""

    name = "process"

    def load(self, *_args: Any, **_kwargs: Any) -> type[RuntimeExecutor]:
        """The executor, of which LocalStack makes one for each execution environment."""
        return ProcessExecutor


class ProcessExecutor(RuntimeExecutor):
    """One execution environment."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self._runtime: Runtime | None = None
        self._environment: dict[str, str] = {}
        self._directory = Path()

    def start(self, env_vars: dict[str, str]) -> None:
        """Prepares the environment. Its process starts with the first invocation, which so has the output of an init that fails in
        its log."""
        self._directory = Path(tempfile.mkdtemp(prefix="function-", dir=config.dirs.tmp))
        code = self._code()
        own = {name: str(value) for name, value in env_vars.items()}
        paths = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._directory),
            "TMPDIR": str(self._directory),
            "LAMBDA_TASK_ROOT": str(code),
            "LAMBDA_RUNTIME_DIR": str(code),
        }
        everyones = Util.parse_additional_flags(config.LAMBDA_DOCKER_FLAGS).env_vars or {}
        self._environment = own | paths | everyones

    def stop(self) -> None:
        """Ends the process, also in the middle of an invocation."""
        environments.remove(self.id)
        if self._runtime:
            self._runtime.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Has the function do it; its error is Lambda's where the function has none to give."""
        request_id, timeout = payload["invoke-id"], self.function_version.config.timeout
        runtime = self._runtime if self._runtime and self._runtime.is_alive() else None
        cold = runtime is None
        if runtime is None:
            runtime = self._runtime = self._spawn()
        self._show(runtime, request_id)
        began = time.monotonic()
        invocation = Invocation(
            request_id, payload["payload"].encode(), payload["invoked-function-arn"], payload.get("trace-id", "")
        )
        memory = [memory_mb(runtime.pid)]
        outcome = runtime.invoke(invocation, timeout)
        elapsed = (time.monotonic() - began) * 1000
        memory.append(memory_mb(runtime.pid))
        if outcome.status:
            environments.remove(self.id)
        else:
            self._show(runtime, None)
        init = runtime.init_ms if cold else None
        # Lambda counts an init by itself.
        elapsed -= init or 0
        logs = self._logs(request_id, runtime.output(), outcome, elapsed, init, max(filter(None, memory), default=None))
        return InvocationResult(request_id, outcome.payload, is_error=outcome.is_error, logs=logs)

    def get_logs(self) -> str:
        """What no invocation has in its log yet."""
        return self._runtime.output() if self._runtime else ""

    def get_address(self) -> str:
        """Where the process is."""
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        """Where LocalStack is, as the process sees it."""
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        """Not for us: LocalStack's own init in a container would report there."""
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}/_localstack_lambda/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unzips the code. What cannot run here is refused when it is deployed, not when it is first needed."""
        runtime = function_version.config.runtime or "of a container image"
        if not runtime.startswith("provided"):
            raise ValueError(f"runtime {runtime} needs Docker; without it only OS-only runtimes such as provided.al2023 run")
        if code := function_version.config.code:
            code.prepare_for_execution()
            bootstrap = Path(code.get_unzipped_code_location()) / "bootstrap"
            if not bootstrap.is_file():
                raise ValueError("the zip has no bootstrap at its root")
            bootstrap.chmod(0o755)

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """The code goes with the version."""

    @classmethod
    def validate_environment(cls) -> bool:
        """Nothing but the zip is needed."""
        return True

    def _code(self) -> Path:
        return Path(self.function_version.config.code.get_unzipped_code_location())

    def _spawn(self) -> Runtime:
        code = self._code()
        if self._runtime:
            self._runtime.close()
        return Runtime([str(code / "bootstrap")], self._environment, str(code), self._directory / "output")

    def _show(self, runtime: Runtime, request_id: str | None) -> None:
        id = self.function_version.id
        environments.put(
            self.id,
            {
                "function": id.function_name,
                "account": id.account,
                "region": id.region,
                "pid": runtime.pid,
                "requestId": request_id,
            },
        )

    def _logs(
        self, request_id: str, output: str, outcome: Outcome, elapsed: float, init: float | None, memory: int | None
    ) -> str:
        """The lines of one invocation as Lambda writes them."""
        lines = [f"START RequestId: {request_id} Version: {self.function_version.id.qualifier}", *output.splitlines()]
        if outcome.status:
            message = json.loads(outcome.payload)["errorMessage"].split(" Error: ", 1)[-1]
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
            lines.append(f"{stamp} {request_id} {message}")
        lines.append(f"END RequestId: {request_id}")
        size = self.function_version.config.memory_size
        report = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {elapsed:.2f} ms",
            f"Billed Duration: {math.ceil(elapsed)} ms",
            f"Memory Size: {size} MB",
        ]
        if memory:
            report.append(f"Max Memory Used: {memory} MB")
        if init:
            report.append(f"Init Duration: {init:.2f} ms")
        if outcome.status:
            report.append(f"Status: {outcome.status}")
        return "\n".join([*lines, "\t".join(report)]) + "\n"
