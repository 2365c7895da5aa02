"""The protocols by name, and addresses: NAME[:HOST][:PORT], and where mimicam listens also NAME[:HOST][:PORT]@SENDER."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from engine.errors import ConfigError
from engine.protocols import ifacialmocap, live_link, open_see_face, vmc
from engine.protocols.sample import Sample

LOOPBACK: Final = "127.0.0.1"
FORM: Final = "NAME[:HOST][:PORT], an IPv6 address in brackets"
_ADDRESS: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::([0-9]{1,5}))?")
_NAME: Final = re.compile(r"[A-Za-z0-9]+(-+[A-Za-z0-9]+)*(\.[A-Za-z0-9]+(-+[A-Za-z0-9]+)*)*")


class Decoder(Protocol):
    """From datagrams to samples; may keep something from one to the next."""

    def decode(self, data: bytes) -> Sample | None:
        """The sample, None when the datagram completes none. MalformedPacketError, and no other error."""
        ...


@dataclass(frozen=True, slots=True)
class Spoken:
    """A protocol."""

    name: str
    port: int  # where it is received by default
    decoder: Callable[[], Decoder]
    encode: Callable[
        [Sample, float], list[bytes]
    ]  # sample and its time in seconds; datagrams, none for what has no word
    hello: bytes | None = None  # what the sender waits for before it sends, at the same port


PROTOCOLS: Final = {
    spoken.name: spoken
    for spoken in (
        Spoken("livelink", live_link.PORT, live_link.Decoder, live_link.encode),
        Spoken("ifacialmocap", ifacialmocap.PORT, ifacialmocap.Decoder, ifacialmocap.encode, ifacialmocap.HELLO),
        Spoken("openseeface", open_see_face.PORT, open_see_face.Decoder, open_see_face.encode),
        Spoken("vmc", vmc.PORT, vmc.Decoder, vmc.encode),
    )
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A protocol at an address."""

    protocol: Spoken
    host: str
    port: int
    sender: str | None = None  # where it is listened to: the only one who may send


def is_protocol(spec: str) -> bool:
    """`spec` begins with the name of a protocol."""
    return re.split("[:@]", spec, maxsplit=1)[0] in PROTOCOLS


def parse_endpoint(spec: str) -> Endpoint:
    """The endpoint of NAME[:HOST][:PORT][@SENDER]; without a host loopback, without a port the protocol's. ConfigError.

    With a sender and no host it is this machine's address on the way to the sender, which `ProtocolSource` finds out.
    """
    address, at, sender = spec.partition("@")
    name, colon, rest = address.partition(":")
    spoken = PROTOCOLS.get(name)
    if spoken is None:
        raise ConfigError(
            wanted="a protocol that mimicam knows", found=f"'{name}'", advice=f"Known are: {', '.join(PROTOCOLS)}."
        )
    if at and not _is_host(sender):
        raise ConfigError(
            wanted="after the @ the address of the phone or computer that sends",
            found=f"'{spec}'",
            advice=f"Write it as {name}@192.168.1.7.",
        )
    host, port = _host_and_port(spec, rest) if colon else ("", 0)
    return Endpoint(spoken, host or ("" if at else LOOPBACK), port or spoken.port, sender or None)


def _host_and_port(spec: str, rest: str) -> tuple[str, int]:
    """Host and port; an empty text and 0 for what isn't given."""
    matched = _ADDRESS.fullmatch(rest)
    six, host, port = matched.groups("") if matched else ("", "", "")
    if not port and re.fullmatch("[0-9]{1,5}", host):
        host, port = "", host
    known = six or host
    if matched is None or (known and not _is_host(known)) or (port and not 1 <= int(port) <= 65535):
        raise ConfigError(wanted=f"an address as {FORM}", found=f"'{spec}'", advice="A port is 1 to 65535.")
    return known, int(port or 0)


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and _NAME.fullmatch(text) is not None
    return True
