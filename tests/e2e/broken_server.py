"""An HTTPS server that breaks off where a test wants it to."""

import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

RESET = struct.pack("ii", 1, 0)  # linger for no time: closing resets the connection
END_OF_HEAD = b"\r\n\r\n"


class BrokenServer:
    """Answers each connection with the next of some bytes, and closes it; `resets` rather than ends the last one."""

    def __init__(self, folder: Path, *, resets: bool = False) -> None:
        authority = trustme.CA()
        self.ca_bundle = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_bundle))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self._resets = resets
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._socket.getsockname()[1]}"

    def answer(self, answers: Sequence[bytes]) -> None:
        """Begin to answer."""
        self._thread = threading.Thread(target=self._serve, args=[answers])
        self._thread.start()

    def _serve(self, answers: Sequence[bytes]) -> None:
        for number, answer in enumerate(answers, start=1):
            plain, _ = self._socket.accept()
            with plain, self._context.wrap_socket(plain, server_side=True, do_handshake_on_connect=True) as connection:
                head = b""
                while END_OF_HEAD not in head:
                    head += connection.recv(65536)
                connection.sendall(answer)
                if self._resets and number == len(answers):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(timeout=30)
        self._socket.close()
