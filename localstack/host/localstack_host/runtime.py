"""One function process and the Lambda Runtime API that it asks for work. Nothing here knows LocalStack.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = "/2018-06-01/runtime"
# Lambda gives an init 10 s, then starts over (lambda-runtime-environment.html, init phase).
INIT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Invocation:
    """What a function is asked."""

    request_id: str
    payload: bytes
    function_arn: str
    trace_id: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of an invocation: the function's answer, or an error as Lambda reports it."""

    payload: bytes
    is_error: bool = False
    # "timeout" or "error" when it was not the function that answered; what the REPORT line calls it.
    status: str | None = None


def failure(request_id: str, error_type: str, message: str, status: str = "error") -> Outcome:
    """An error that Lambda itself reports, in Lambda's words."""
    body = {"errorType": error_type, "errorMessage": f"RequestId: {request_id} Error: {message}"}
    return Outcome(json.dumps(body).encode(), is_error=True, status=status)


def exit_message(code: int) -> str:
    """How Lambda speaks of a process that ended: by a signal, with a status, or for no reason it knows."""
    if code < 0:
        name = {signal.SIGKILL: "killed", signal.SIGTERM: "terminated", signal.SIGSEGV: "segmentation fault"}
        return f"Runtime exited with error: signal: {name.get(-code, signal.Signals(-code).name)}"
    return f"Runtime exited with error: exit status {code}" if code else "Runtime exited without providing a reason"


@dataclass(frozen=True)
class Exited:
    """The process ended; `code` as subprocess has it, negative for a signal."""

    code: int


@dataclass(frozen=True)
class InitError:
    """The function says that it cannot start."""

    body: bytes


class Ready:
    """The function asks for work for the first time."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A function that was killed leaves a connection without an end, which is no error here."""


class Runtime:
    """A function process. One invocation at a time; `close` ends it at whatever point it is."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: str, output: Path) -> None:
        """Starts `command` with its output appended to the file `output`."""
        self._work: queue.Queue[tuple[Invocation, float] | None] = queue.Queue()
        # What happens to the process, in order: one reader, `_happening`.
        self._happenings: queue.Queue[tuple[str, Outcome] | Exited | InitError | Ready] = queue.Queue()
        self._api = self._serve()
        self._output = output
        self._read = output.stat().st_size if output.exists() else 0
        self.started = time.monotonic()
        # Until its first invocation is over: how long its init took, in ms.
        self.init_ms: float | None = None
        self._is_ready = False
        with output.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # In the group of its parent, so that a signal to that group reaches all of LocalStack.
            )
        threading.Thread(target=self._wait, daemon=True, name=f"wait-{self.process.pid}").start()

    @property
    def pid(self) -> int:
        """Of the process, which may have ended."""
        return self.process.pid

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def invoke(self, invocation: Invocation, timeout: float) -> Outcome:
        """Has the function do it within `timeout` seconds. When the outcome has a `status`, the process is gone."""
        if not self._is_ready and (failed := self._init(invocation.request_id)):
            self.close()
            return failed
        deadline = time.time() + timeout
        self._work.put((invocation, deadline))
        try:
            while True:
                match self._happenings.get(timeout=max(0.0, deadline - time.time())):
                    case (request_id, outcome) if request_id == invocation.request_id:
                        return outcome
                    case Exited(code):
                        self.close()
                        return failure(invocation.request_id, "Runtime.ExitError", exit_message(code))
        except queue.Empty:
            self.close()
            message = f"Task timed out after {timeout:.2f} seconds"
            return failure(invocation.request_id, "Sandbox.Timedout", message, status="timeout")

    def output(self) -> str:
        """What the process wrote since the last call. All that it wrote before it answered is there."""
        with self._output.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        self._read += len(text)
        return text.decode(errors="replace")

    def close(self) -> None:
        """Kills the process, if it still runs, and closes its API."""
        self.process.kill()
        self.process.wait()
        self._work.put(None)
        # Not waited for: the server looks up twice a second.
        threading.Thread(target=self._stop_serving, daemon=True).start()

    def _stop_serving(self) -> None:
        self._api.shutdown()
        self._api.server_close()

    def _init(self, request_id: str) -> Outcome | None:
        """Waits until the function asks for work; else says why it never will."""
        try:
            match self._happenings.get(timeout=INIT_TIMEOUT):
                case Ready():
                    self._is_ready = True
                    self.init_ms = (time.monotonic() - self.started) * 1000
                    return None
                case InitError(body):
                    return Outcome(body, is_error=True, status="error")
                case Exited(code):
                    return failure(request_id, "Runtime.ExitError", exit_message(code))
                case other:
                    return failure(request_id, "Runtime.Unknown", f"the runtime sent {other} before it asked for work")
        except queue.Empty:
            return failure(request_id, "Sandbox.Timedout", f"Init timed out after {INIT_TIMEOUT:.2f} seconds", "timeout")

    def _wait(self) -> None:
        code = self.process.wait()
        self._happenings.put(Exited(code))
        # Lets go of a request for work that nobody reads any more.
        self._work.put(None)

    def _serve(self) -> ThreadingHTTPServer:
        runtime = self

        class Api(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer is two small writes, and the second would wait for the acknowledgement of the first.
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                if self.path != f"{VERSION}/invocation/next":
                    self._answer(404, {})
                    return
                if not runtime._is_ready:
                    runtime._happenings.put(Ready())
                work = runtime._work.get()
                if work is None:
                    self.close_connection = True
                    return
                invocation, deadline = work
                headers = {
                    "Content-Type": "application/json",
                    "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                    "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                    "Lambda-Runtime-Trace-Id": invocation.trace_id,
                }
                self._answer(200, headers, invocation.payload)

            def do_POST(self) -> None:
                body = self._body()
                match self.path.removeprefix(VERSION).split("/"):
                    case ["", "invocation", request_id, "response"]:
                        happening = (request_id, Outcome(body))
                    case ["", "invocation", request_id, "error"]:
                        happening = (request_id, Outcome(body, is_error=True))
                    case ["", "init", "error"]:
                        happening = InitError(body)
                    case _:
                        self._answer(404, {})
                        return
                self._answer(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')
                runtime._happenings.put(happening)

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """The function's own log is the one that counts."""

        server = _Server(("127.0.0.1", 0), Api)
        threading.Thread(target=server.serve_forever, daemon=True, name=f"runtime-api-{server.server_port}").start()
        return server


def memory_mb(pid: int) -> int | None:
    """Most memory that the process ever had resident, in MB; none where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return -(-int(lines[0][1]) // 1024) if lines else None
