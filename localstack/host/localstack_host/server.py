"""The gateway on the address it is told (`GATEWAY_SERVER=loopback`). The stock server binds 0.0.0.0 for every IPv4 address of
`GATEWAY_LISTEN`, and goes on as if nothing were wrong when the port is taken."""

import os
import sys
from typing import Any

from localstack.runtime.server.core import RuntimeServer, RuntimeServerPlugin


class LoopbackServerPlugin(RuntimeServerPlugin):
    """The stock server but for the address."""

    name = "loopback"

    def load(self, *_args: Any, **_kwargs: Any) -> RuntimeServer:
        """The server, of which there is one in a process."""
        from localstack import config
        from localstack.runtime.server import twisted
        from twisted.internet import endpoints

        hosts = {address.port: address.host for address in config.GATEWAY_LISTEN}

        class Endpoint(endpoints.TCP4ServerEndpoint):
            def __init__(self, reactor: Any, port: int) -> None:
                super().__init__(reactor, port, interface=hosts[port])

            def listen(self, factory: Any) -> Any:
                return super().listen(factory).addErrback(_end)

        class Endpoints:
            """What the stock server uses of `twisted.internet.endpoints`."""

            TCP4ServerEndpoint = Endpoint
            TCP6ServerEndpoint = endpoints.TCP6ServerEndpoint

        twisted.endpoints = Endpoints
        return twisted.TwistedRuntimeServer()


def _end(failure: Any) -> None:
    print(f"localstack-host: {failure.getErrorMessage()}", file=sys.stderr, flush=True)
    os._exit(1)
