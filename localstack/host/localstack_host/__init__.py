"""LocalStack on the bare host: no Docker, loopback only.

| question | file |
| --- | --- |
| how does a function's `bootstrap` run, and what if it dies or takes too long? | `runtime.py`, which needs only Python |
| how does LocalStack run functions through it, and what is in their logs? | `executor.py` |
| how are several batches of a queue handled at once? | `mapping.py` |
| which processes run now? | `environments.py`, `GET /_host/environments` |
| what is switched on at the start, and what ends it? | `hooks.py` |
| what answers for DynamoDB? | `providers.py` |
| who binds the port? | `server.py` |
"""
