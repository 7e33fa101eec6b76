"""A function process and its Runtime API, with functions of a few lines. Needs nothing but Python: python3 -m unittest, here."""

import json
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from localstack_host.runtime import Invocation, Runtime, exit_message  # noqa: E402

# Does what the event's `do` says, as a Python expression.
FUNCTION = """
import http.client, json, os, sys, time
api, path = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"]), "/2018-06-01/runtime/"
def call(method, what, body=None):
    api.request(method, path + what, body)
    answer = api.getresponse()
    return answer.headers, answer.read()
print("init", flush=True)
INIT
while True:
    headers, event = call("GET", "invocation/next")
    kind, answer = "response", None
    try:
        answer = eval(json.loads(event)["do"])
    except ValueError as error:
        kind, answer = "error", {"errorType": "ValueError", "errorMessage": str(error)}
    call("POST", f"invocation/{headers['Lambda-Runtime-Aws-Request-Id']}/{kind}", json.dumps(answer))
"""


class RuntimeTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def start(self, init: str = "") -> Runtime:
        command = [sys.executable, "-c", FUNCTION.replace("INIT", init)]
        runtime = Runtime(command, dict(os.environ), str(self.directory), self.directory / "output")
        self.addCleanup(runtime.close)
        return runtime

    def do(self, runtime: Runtime, what: str, timeout: float = 10) -> tuple[object, bool, str | None]:
        outcome = runtime.invoke(Invocation("id-1", json.dumps({"do": what}).encode(), "arn"), timeout)
        return json.loads(outcome.payload), outcome.is_error, outcome.status

    def test_a_process_answers_one_invocation_after_the_other(self) -> None:
        runtime = self.start()
        self.assertEqual(self.do(runtime, "6 * 7"), (42, False, None))
        self.assertEqual(self.do(runtime, "[os.getpid()]"), ([runtime.pid], False, None))
        self.assertIsNotNone(runtime.init_ms)

    def test_an_error_of_the_function_is_its_answer_and_it_lives_on(self) -> None:
        runtime = self.start()
        error = {"errorType": "ValueError", "errorMessage": "invalid literal for int() with base 10: 'x'"}
        self.assertEqual(self.do(runtime, "int('x')"), (error, True, None))
        self.assertTrue(runtime.is_alive())

    def test_what_it_wrote_before_it_answered_is_there_at_once_and_only_once(self) -> None:
        runtime = self.start()
        self.do(runtime, "print('x' * 200_000, flush=True)")
        self.assertEqual(runtime.output(), "init\n" + "x" * 200_000 + "\n")
        self.do(runtime, "print('second', flush=True)")
        self.assertEqual(runtime.output(), "second\n")

    def test_a_process_that_ends_is_reported_as_lambda_does(self) -> None:
        for what, message in [
            ("os._exit(3)", "Runtime exited with error: exit status 3"),
            ("os._exit(0)", "Runtime exited without providing a reason"),
            ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ]:
            error = {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: id-1 Error: {message}"}
            runtime = self.start()
            self.assertEqual(self.do(runtime, what), (error, True, "error"), what)
            self.assertFalse(runtime.is_alive())

    def test_a_process_killed_from_outside_in_the_middle_is_seen_at_once(self) -> None:
        runtime = self.start()
        self.do(runtime, "1")
        threading.Timer(0.2, lambda: os.kill(runtime.pid, signal.SIGKILL)).start()
        began = time.monotonic()
        error, _, status = self.do(runtime, "time.sleep(60)", timeout=30)
        self.assertEqual((error["errorType"], status), ("Runtime.ExitError", "error"))
        self.assertLess(time.monotonic() - began, 10)

    def test_a_process_that_takes_too_long_is_killed_and_reported_as_lambda_does(self) -> None:
        runtime = self.start()
        self.do(runtime, "1")
        message = "RequestId: id-1 Error: Task timed out after 0.30 seconds"
        error = {"errorType": "Sandbox.Timedout", "errorMessage": message}
        self.assertEqual(self.do(runtime, "time.sleep(60)", timeout=0.3), (error, True, "timeout"))
        self.assertFalse(runtime.is_alive())

    def test_an_init_that_fails_is_the_error_of_the_invocation(self) -> None:
        error = {"errorType": "Runtime.InvalidConfiguration", "errorMessage": "X is wrong"}
        runtime = self.start(f"call('POST', 'init/error', {json.dumps(json.dumps(error))}); sys.exit(1)")
        self.assertEqual(self.do(runtime, "1"), (error, True, "error"))
        self.assertEqual(runtime.output(), "init\n")

    def test_an_init_that_ends_is_the_error_of_the_invocation(self) -> None:
        error, _, status = self.do(self.start("sys.exit(1)"), "1")
        self.assertEqual((error["errorType"], status), ("Runtime.ExitError", "error"))

    def test_signals_have_lambdas_names(self) -> None:
        self.assertEqual(exit_message(-signal.SIGTERM), "Runtime exited with error: signal: terminated")
        self.assertEqual(exit_message(-signal.SIGUSR1), "Runtime exited with error: signal: SIGUSR1")


if __name__ == "__main__":
    unittest.main()
