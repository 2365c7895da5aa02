"""A performance for other programs to receive."""

from __future__ import annotations

import socket

from engine.errors import ConfigError, OutputError
from engine.protocols.sample import Sample
from engine.protocols.table import Endpoint


class Broadcast:
    """Sends samples to an address; never waits, never fails once it is open. Use it from one thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        """OutputError when the address means nothing on this machine, ConfigError when it names a sender."""
        self.sent = 0  # datagrams
        self.failed = 0  # datagrams that the system didn't take: no network, or its buffer is full
        if endpoint.sender is not None:
            raise ConfigError(
                wanted=f"an address to send {endpoint.protocol.name} to",
                found=f"@{endpoint.sender}, which names who sends",
                advice=f"Write it as {endpoint.protocol.name}:{endpoint.sender}.",
            )
        self._encode = endpoint.protocol.encode
        try:
            family, kind, number, _, address = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_DGRAM)[
                0
            ]
            self._socket = socket.socket(family, kind, number)
            self._socket.setblocking(False)
        except OSError as error:
            raise OutputError(
                wanted=f"to send {endpoint.protocol.name} to {endpoint.host}",
                found=error.strerror or str(error),
                advice="Give the address of a machine in this network, such as 192.168.1.20.",
            ) from error
        self._address = address

    @property
    def address(self) -> tuple[str, int]:
        """Host, in numbers, and port that it sends to."""
        return str(self._address[0]), int(self._address[1])

    def __call__(self, sample: Sample, time_s: float) -> None:
        """Send the sample of `time_s`, in seconds from whenever."""
        for datagram in self._encode(sample, time_s):
            try:
                self._socket.sendto(datagram, self._address)
                self.sent += 1
            except OSError:
                self.failed += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
