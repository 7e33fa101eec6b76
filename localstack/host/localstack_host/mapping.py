"""Event source mappings of queues that handle several batches at once, as Lambda's do. LocalStack's handles one after the other,
and looks into an empty queue only every ten seconds.

A mapping has as many batches at work as its `ScalingConfig.MaximumConcurrency` says, else `CONCURRENCY`. A FIFO queue keeps
LocalStack's own poller, which keeps the order.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localstack.services.lambda_.event_source_mapping import esm_worker_factory
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmWorker
from localstack.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory
from localstack.services.lambda_.event_source_mapping.pollers.sqs_poller import SqsPoller
from localstack.utils.patch import patch

LOG = logging.getLogger(__name__)

# Lambda begins with five batches of a queue and adds more as long as there are messages
# (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html).
CONCURRENCY = 5
# How long a receive waits for a message, in seconds: also how long a mapping takes to stop.
WAIT = 1


class ConcurrentSqsPoller(SqsPoller):
    """Receives a batch when it may handle one, and goes on receiving while it is handled."""

    concurrency = CONCURRENCY

    def limit(self, concurrency: int) -> None:
        """At most this many batches at work from now on. Called before the first poll."""
        self._free = threading.BoundedSemaphore(concurrency)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="sqs-batch")

    def poll_events(self) -> None:
        """Receives one batch at most."""
        if self.is_fifo_queue:
            return super().poll_events()
        # Before it is received: what nobody handles must stay visible.
        self._free.acquire()
        taken = False
        try:
            window = self.maximum_batching_window
            answer = self.source_client.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=min(self.batch_size, 10),
                WaitTimeSeconds=min(window or WAIT, 20),
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
                sqs_override_max_message_count=self.batch_size,
                sqs_override_wait_time_seconds=window,
            )
            if messages := answer.get("Messages"):
                self._pool.submit(self._handle, messages)
                taken = True
        finally:
            if not taken:
                self._free.release()

    def close(self) -> None:
        """Lets the batches at work end, and takes no more."""
        self._pool.shutdown(wait=False)
        super().close()

    def _handle(self, messages: list[dict[str, Any]]) -> None:
        try:
            self.handle_messages(messages)
        except Exception as error:
            # They come back when their visibility timeout is over.
            LOG.warning("%d messages of %s not handled: %s", len(messages), self.source_arn, getattr(error, "error", error))
        finally:
            self._free.release()


def install() -> None:
    """Patches LocalStack; once, before its first mapping."""
    esm_worker_factory.SqsPoller = ConcurrentSqsPoller

    @patch(EsmWorkerFactory.get_esm_worker)
    def get_esm_worker(original: Callable[..., EsmWorker], self: EsmWorkerFactory) -> EsmWorker:
        worker = original(self)
        if isinstance(worker.poller, ConcurrentSqsPoller):
            scaling = self.esm_config.get("ScalingConfig") or {}
            worker.poller.limit(scaling.get("MaximumConcurrency") or CONCURRENCY)
        return worker
