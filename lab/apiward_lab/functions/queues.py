"""Storage queues as the Functions host uses them: encoding, retries, and the poison queue."""

import base64
import binascii
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from apiward_lab.functions.declared import LoadError
from apiward_lab.functions.options import HostOptions

_HIDDEN_SECONDS = 600  # the real host extends this for as long as the function runs; none takes that long in a lab
_POLL_SECONDS = 0.1
_KEEP_FOR_EVER = -1
_LOG = logging.getLogger(__name__)

Handle = Callable[[bytes, QueueMessage], bool]


class Queues:
    """The queues of the storage accounts whose connection strings are in the app settings.

    `ca` is the PEM file that an emulator's certificate is checked with.
    """

    def __init__(self, settings: Mapping[str, str], *, base64_texts: bool, ca: Path | None) -> None:
        self._settings = settings
        self._options = {} if ca is None else {"connection_verify": str(ca)}
        self._base64 = base64_texts

    def client(self, name: str, *, connection: str) -> QueueClient:
        """A queue. Raises LoadError when the app setting is no connection string: the lab knows no other way in."""
        text = self._settings.get(connection, "")
        try:
            return QueueServiceClient.from_connection_string(text, **self._options).get_queue_client(name)
        except ValueError as error:
            raise LoadError(f"the app setting {connection} is no connection string of a storage account") from error

    def send(self, queue: QueueClient, text: str) -> None:
        """Send a message; a queue that does not exist is made first."""
        _send(queue, base64.b64encode(text.encode()).decode() if self._base64 else text)

    def decode(self, message: QueueMessage) -> bytes | None:
        """The body that a function is given, None when the message is not encoded as host.json says."""
        if not self._base64:
            return str(message.content).encode()
        try:
            return base64.b64decode(message.content, validate=True)
        except (binascii.Error, ValueError):
            return None


class QueueListener:
    """Polls one queue and hands its messages to `handle`, which returns whether the function succeeded.

    A message that failed becomes visible again after the visibility timeout of host.json. At its last permitted attempt
    it moves to the poison queue, and so does at once what cannot be decoded.
    """

    def __init__(
        self, queues: Queues, queue: QueueClient, poison: QueueClient, *, options: HostOptions, handle: Handle
    ) -> None:
        self._queues = queues
        self._queue = queue
        self._poison = poison
        self._options = options
        self._handle = handle
        self._free = threading.Semaphore(options.at_once)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=f"queue-{queue.queue_name}", daemon=True)

    def start(self) -> None:
        """Begin to poll, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End polling, and wait for the messages that are being worked on."""
        self._stopping.set()
        self._thread.join()

    def _listen(self) -> None:
        with ThreadPoolExecutor(self._options.at_once) as pool:
            while not self._stopping.is_set():
                self._free.acquire()
                message = self._receive()
                if message is None:
                    self._free.release()
                    self._stopping.wait(_POLL_SECONDS)
                else:
                    pool.submit(self._work, message)

    def _receive(self) -> QueueMessage | None:
        try:
            return self._queue.receive_message(visibility_timeout=_HIDDEN_SECONDS)
        except ResourceNotFoundError:  # nobody has sent anything yet
            return None
        except AzureError:
            _LOG.warning("%s cannot be polled", self._queue.queue_name, exc_info=True)
            return None

    def _work(self, message: QueueMessage) -> None:
        try:
            self._settle(message)
        except AzureError:
            _LOG.warning("message %s comes back when it is visible again", message.id, exc_info=True)
        finally:
            self._free.release()

    def _settle(self, message: QueueMessage) -> None:
        body = self._queues.decode(message)
        if body is None or (message.dequeue_count or 0) > self._options.max_dequeue_count:
            self._bury(message)
        elif self._handle(body, message):
            self._delete(message)
        elif (message.dequeue_count or 0) >= self._options.max_dequeue_count:
            self._bury(message)
        else:
            _release(self._queue, message, self._options.visibility_timeout)

    def _bury(self, message: QueueMessage) -> None:
        _send(self._poison, str(message.content))
        self._delete(message)

    def _delete(self, message: QueueMessage) -> None:
        try:
            self._queue.delete_message(message)
        except HttpResponseError as error:  # it became visible meanwhile, and somebody else has it
            if error.status_code not in (400, 404):
                raise


def _send(queue: QueueClient, content: str) -> None:
    try:
        queue.send_message(content, time_to_live=_KEEP_FOR_EVER)
    except ResourceNotFoundError:
        with suppress(ResourceExistsError):  # another worker was faster
            queue.create_queue()
        queue.send_message(content, time_to_live=_KEEP_FOR_EVER)


def _release(queue: QueueClient, message: QueueMessage, after: timedelta) -> None:
    queue.update_message(message, visibility_timeout=int(after.total_seconds()))
