"""What is switched on when LocalStack starts."""

from __future__ import annotations

import os
import signal
import threading

from localstack.http import Request, Response
from localstack.runtime import hooks

from localstack_host import environments

# Where the processes that run now are listed.
ENVIRONMENTS = "/_host/environments"
# When set, LocalStack ends when its standard input does, which is when whoever started it ended, whatever way.
ENDS_WITH_STDIN = "LOCALSTACK_HOST_ENDS_WITH_STDIN"


@hooks.on_infra_start()
def prepare() -> None:
    """Called by LocalStack before its gateway listens."""
    from localstack.services.edge import ROUTER

    from localstack_host import assignment, mapping

    assignment.install()
    mapping.install()
    ROUTER.add(ENVIRONMENTS, _list)
    if os.environ.get(ENDS_WITH_STDIN):
        threading.Thread(target=_end_with_stdin, daemon=True, name="ends-with-stdin").start()


def _list(_request: Request) -> Response:
    return Response.for_json(environments.all())


def _end_with_stdin() -> None:
    # Not sys.stdin, whose lock this thread would hold when the interpreter ends.
    while os.read(0, 1):
        pass
    # The functions are in our group, which whoever set the variable made for us.
    os.killpg(os.getpgid(0), signal.SIGKILL)
