"""A performance that another program sends: a source of frames without a picture, each with the sample that made it.

The newest sample wins: what has piled up in the socket is read, all but the last thrown away. The first sender whose packets
make sense holds the source until it has been silent for `UNLOCK_S`; nobody else can take part meanwhile.

None of the protocols carries a secret, so who may send is told by address: programs of this machine, or one named sender.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import time
from dataclasses import dataclass
from typing import Any, Final

from engine.capture.nothing import NO_PICTURE
from engine.errors import ConfigError, MimicamError, SourceError
from engine.live.frame import Frame
from engine.protocols.convert import lost
from engine.protocols.sample import MalformedPacketError, Sample
from engine.protocols.table import Decoder, Endpoint

SILENCE_S: Final = 0.25  # so long without a sample is a loss
UNLOCK_S: Final = 2.0  # so long without the sender, and another one may take its place
HELLO_EVERY_S: Final = 1.0
DRAIN_S: Final = 0.005  # how long to go on to newer samples once there is one, so that a flood can't hold the loop
LONGEST_BYTES: Final = 65535
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class SampleFrame(Frame):
    """A frame that brings its sample along."""

    sample: Sample
    sender: int = 0  # counts up as one sender takes another one's place


class ProtocolSource:
    """Samples from a socket. One thread reads and closes it; the counters may be read from any."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Listen. SourceError when the address can't be listened at, ConfigError where others than this machine's programs can
        reach it and no sender is named."""
        self.reconnected = 0  # times that a sender took another one's place
        self.malformed = 0  # datagrams that are not what the protocol says
        self.foreign = 0  # datagrams from others than the sender
        self._endpoint = endpoint
        self._socket = _listen(endpoint)
        try:
            self._allowed = _allowed(endpoint, self.address[0])
        except MimicamError:
            self._socket.close()
            raise
        self._decoder: Decoder = endpoint.protocol.decoder()
        self._sender: Any = None
        self._heard_s = self._greeted_s = float("-inf")
        self._index = -1
        self._closed = False

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens at."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def read(self) -> Frame | None:
        """A frame for the newest sample; after `SILENCE_S` without one a frame of a loss. None when it is closed."""
        deadline_s = time.monotonic() + SILENCE_S
        newest: Sample | None = None
        while (left_s := deadline_s - time.monotonic()) > 0:
            datagram = self._receive(left_s if newest is None else 0.0)
            if datagram is None:
                break
            sample = self._take(*datagram)
            if sample is not None:
                newest = sample
                deadline_s = min(deadline_s, time.monotonic() + DRAIN_S)
        if self._closed:
            return None
        if newest is None:
            self._greet()
        self._index += 1
        return SampleFrame(NO_PICTURE, self._index, time.monotonic(), newest or lost(), self.reconnected)

    def would_hear(self, host: str, port: int) -> bool:
        """What this machine sends to that address, in numbers, arrives here and counts."""
        try:
            sent_from = _way_to(host, port)
        except OSError:
            return False
        target, listening_at = _plain(host), _plain(self.address[0])
        here = target == _plain(sent_from) and (listening_at == target or listening_at.is_unspecified)
        return here and port == self.address[1] and self._may_send(host)

    @staticmethod
    def sample(frame: Frame) -> Sample:
        """The sample of a frame that a protocol's source read, for the track stage; from any thread."""
        return _with_sample(frame).sample

    @staticmethod
    def sender(frame: Frame) -> int:
        """Likewise a number of who sent it, another one for each that took another one's place."""
        return _with_sample(frame).sender

    def close(self) -> None:
        """Free the port."""
        self._closed = True
        self._socket.close()

    def _receive(self, timeout_s: float) -> tuple[bytes, Any] | None:
        """A datagram and who sent it; None when there is none in time."""
        while not self._closed:
            try:
                self._socket.settimeout(timeout_s)
                return self._socket.recvfrom(LONGEST_BYTES)
            except (TimeoutError, BlockingIOError):
                return None
            except ConnectionError:
                continue  # the phone that was greeted doesn't listen yet; the socket is sound
            except OSError as error:
                if self._closed:
                    return None
                raise SourceError(
                    wanted=f"to go on listening to {self._endpoint.protocol.name}",
                    found=error.strerror or str(error),
                    advice="Start it again when the network is back.",
                ) from error
        return None

    def _take(self, data: bytes, sender: Any) -> Sample | None:
        """What a datagram says, if it is for us."""
        now_s = time.monotonic()
        known = sender == self._sender
        if not known and (now_s - self._heard_s < UNLOCK_S or not self._may_send(sender[0])):
            self.foreign += 1
            return None
        decoder = self._decoder if known else self._endpoint.protocol.decoder()
        try:
            sample = decoder.decode(data)
        except MalformedPacketError:
            self.malformed += 1
            return None
        if not known:
            self.reconnected += self._sender is not None
            self._sender, self._decoder = sender, decoder
        self._heard_s = now_s
        return sample

    def _may_send(self, host: str) -> bool:
        return self._allowed is None or _plain(host) in self._allowed

    def _greet(self) -> None:
        """Ask the phone to send, in a silence now and then: it may have been switched on later."""
        hello, now_s = self._endpoint.protocol.hello, time.monotonic()
        if hello is None or self._endpoint.sender is None or now_s - self._greeted_s < HELLO_EVERY_S:
            return
        self._greeted_s = now_s
        with contextlib.suppress(OSError):  # no way to it yet; the next silence tries again
            self._socket.sendto(hello, (self._endpoint.sender, self._endpoint.protocol.port))


def _with_sample(frame: Frame) -> SampleFrame:
    if not isinstance(frame, SampleFrame):
        raise TypeError("a frame of another source has no sample")
    return frame


def _listen(endpoint: Endpoint) -> socket.socket:
    found: socket.socket | None = None
    try:
        host = endpoint.host or _way_to(endpoint.sender, endpoint.protocol.port)
        family, kind, number, _, address = socket.getaddrinfo(host, endpoint.port, type=socket.SOCK_DGRAM)[0]
        found = socket.socket(family, kind, number)
        found.bind(address)
        return found
    except OSError as error:
        if found is not None:
            found.close()
        taken = error.errno == errno.EADDRINUSE
        raise SourceError(
            wanted=f"to listen to {endpoint.protocol.name} at {endpoint.host or endpoint.sender} port {endpoint.port}",
            found="another program listens there" if taken else error.strerror or str(error),
            advice="Close that program, or give another port." if taken else "Give an address of this machine.",
        ) from error


def _allowed(endpoint: Endpoint, listening_at: str) -> frozenset[IpAddress] | None:
    """Whose datagrams count: the named sender's; None, anybody's, where only programs of this machine can send."""
    if endpoint.sender is not None:
        try:
            found = socket.getaddrinfo(endpoint.sender, endpoint.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise SourceError(
                wanted=f"to know the address of {endpoint.sender}, which is to send {endpoint.protocol.name}",
                found=error.strerror or str(error),
                advice="Give it in numbers, such as 192.168.1.7.",
            ) from error
        return frozenset(_plain(str(address[0])) for *_, address in found)
    if _plain(listening_at).is_loopback:
        return None
    name = endpoint.protocol.name
    raise ConfigError(
        wanted=f"to know who may send {name} over the network",
        found=f"{listening_at}, where anybody in it can",
        advice=f"Name the phone or computer that performs: {name}@192.168.1.7.",
    )


def _plain(host: str) -> IpAddress:
    """An address without its interface, and an IPv4 one as such where a socket of both kinds tells it as IPv6."""
    address = ipaddress.ip_address(host.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _way_to(sender: str | None, port: int) -> str:
    """This machine's address in the network of the sender; nothing is sent."""
    family, kind, number, _, address = socket.getaddrinfo(sender, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, number) as trial:
        trial.connect(address)
        return str(trial.getsockname()[0])
