"""Protocols over sockets and by address: who is listened to, what is counted, what is refused."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_protocols import live_link_packet, sample

from engine.errors import ConfigError, SourceError
from engine.face import arkit
from engine.live.frame import Frame
from engine.perform.replay import NO_PICTURE
from engine.protocols import receive
from engine.protocols.receive import ProtocolSource, SampleFrame
from engine.protocols.send import Broadcast
from engine.protocols.table import PROTOCOLS, Endpoint, is_protocol, parse_endpoint

LISTENING = Endpoint(PROTOCOLS["livelink"], "127.0.0.1", 0)


@pytest.fixture
def source() -> Iterator[ProtocolSource]:
    opened = ProtocolSource(LISTENING)
    yield opened
    opened.close()


@pytest.fixture
def senders() -> Iterator[list[socket.socket]]:
    opened = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    yield opened
    for sender in opened:
        sender.close()


def jaw(source: ProtocolSource) -> float:
    frame = source.read()
    assert frame is not None
    return float(ProtocolSource.sample(frame).coefficients[arkit.INDEX["jawOpen"]])


def test_a_source_gives_a_frame_for_what_was_sent(source: ProtocolSource) -> None:
    broadcast = Broadcast(replace(LISTENING, port=source.address[1]))
    broadcast(sample((10, 0, 0), jawOpen=0.5), 0.0)
    frame = source.read()
    assert isinstance(frame, SampleFrame)
    assert frame.bgr is NO_PICTURE
    assert frame.index == 0
    got = ProtocolSource.sample(frame)
    assert got.seen
    assert got.angles_deg[0] == pytest.approx(10, abs=1e-4)
    assert (broadcast.sent, broadcast.failed, source.malformed, source.foreign) == (1, 0, 0, 0)
    broadcast.close()


def test_silence_is_a_loss_and_frames_go_on(source: ProtocolSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "SILENCE_S", 0.01)
    frames = [source.read() for _ in range(2)]
    assert [frame.index for frame in frames if frame is not None] == [0, 1]
    assert all(frame is not None and not ProtocolSource.sample(frame).seen for frame in frames)


def test_the_newest_wins(source: ProtocolSource, senders: list[socket.socket]) -> None:
    for amount in (0.25, 0.5, 0.75):
        senders[0].sendto(live_link_packet({17: amount}), source.address)
    assert jaw(source) == 0.75


def test_the_first_sender_holds_the_source_until_it_is_silent(
    source: ProtocolSource, senders: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "SILENCE_S", 0.05)
    first, second = senders
    first.sendto(live_link_packet({17: 0.25}), source.address)
    assert jaw(source) == 0.25
    second.sendto(live_link_packet({17: 1.0}), source.address)
    assert jaw(source) == 0.0  # a loss
    assert source.foreign == 1
    first.sendto(live_link_packet({17: 0.5}), source.address)
    assert jaw(source) == 0.5
    monkeypatch.setattr(receive, "UNLOCK_S", 0.0)
    second.sendto(live_link_packet({17: 0.75}), source.address)
    assert jaw(source) == 0.75
    assert (source.foreign, source.reconnected) == (1, 1)


def test_garbage_is_counted_and_does_not_hold_the_source(source: ProtocolSource, senders: list[socket.socket]) -> None:
    for data in (b"", b"garbage", bytes(60000), live_link_packet({17: math.nan})):
        senders[0].sendto(data, source.address)
    senders[1].sendto(live_link_packet({17: 0.5}), source.address)
    assert jaw(source) == 0.5
    assert (source.malformed, source.foreign) == (4, 0)


def test_vmc_frames_come_together_from_several_datagrams() -> None:
    source = ProtocolSource(Endpoint(PROTOCOLS["vmc"], "127.0.0.1", 0))
    broadcast = Broadcast(Endpoint(PROTOCOLS["vmc"], *source.address))
    broadcast(sample((0, 5, 0), jawOpen=0.5), 3.0)
    frame = source.read()
    assert frame is not None
    assert ProtocolSource.sample(frame).coefficients[arkit.INDEX["jawOpen"]] == 0.5
    assert broadcast.sent > 1
    source.close()
    broadcast.close()


def test_a_closed_source_ends(source: ProtocolSource) -> None:
    source.close()
    assert source.read() is None


def test_a_frame_of_another_source_has_no_sample() -> None:
    with pytest.raises(TypeError):
        ProtocolSource.sample(Frame(NO_PICTURE, 0, 0.0))


def test_a_port_in_use_says_so(source: ProtocolSource) -> None:
    with pytest.raises(SourceError, match=r"another program listens there.*another port"):
        ProtocolSource(replace(LISTENING, port=source.address[1]))


def test_an_address_of_another_machine_says_so() -> None:
    with pytest.raises(SourceError, match="address of this machine"):
        ProtocolSource(replace(LISTENING, host="192.0.2.1"))


def test_the_phone_is_greeted_in_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive, "SILENCE_S", 0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(5)
        spoken = replace(PROTOCOLS["ifacialmocap"], port=phone.getsockname()[1])
        source = ProtocolSource(Endpoint(spoken, "", 0, sender="127.0.0.1"))
        source.read()
        greeting, listener = phone.recvfrom(1000)
        assert greeting == b"iFacialMocap_sahuasouryya9218sauhuiayeta91555dy3719"
        phone.sendto(b"jawOpen-50|=head#0,0,0,0,0,0|", listener)
        assert jaw(source) == 0.5
        source.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_beyond_this_machine_it_listens_to_a_named_sender_alone(host: str) -> None:
    with pytest.raises(ConfigError, match=r"anybody.*livelink@192\.168"):
        ProtocolSource(replace(LISTENING, host=host))


@pytest.mark.parametrize(("host", "to"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1")])
def test_others_than_the_named_sender_are_dropped_and_counted(
    host: str, to: str, senders: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receive, "SILENCE_S", 0.05)
    for allowed, amount, foreign in (("192.0.2.1", 0.0, 1), ("127.0.0.1", 0.5, 0)):
        source = ProtocolSource(replace(LISTENING, host=host, sender=allowed))
        senders[0].sendto(live_link_packet({17: 0.5}), (to, source.address[1]))
        assert jaw(source) == amount
        assert source.foreign == foreign
        source.close()


def test_a_sender_without_an_address_says_so() -> None:
    with pytest.raises(SourceError, match="in numbers"):
        ProtocolSource(replace(LISTENING, host="127.0.0.1", sender="nobody.invalid"))


def test_nothing_is_sent_to_who_should_send() -> None:
    with pytest.raises(ConfigError, match=r"livelink:192\.168\.1\.7"):
        Broadcast(parse_endpoint("livelink@192.168.1.7"))


def test_a_network_that_takes_nothing_is_counted() -> None:
    broadcast = Broadcast(Endpoint(PROTOCOLS["livelink"], "255.255.255.255", 9))  # not allowed without asking for it
    broadcast(sample(), 0.0)
    assert (broadcast.sent, broadcast.failed) == (0, 1)
    broadcast.close()


@pytest.mark.parametrize(
    ("spec", "host", "port"),
    [
        ("livelink", "127.0.0.1", 11111),
        ("vmc", "127.0.0.1", 39539),
        ("vmc:39540", "127.0.0.1", 39540),
        ("vmc:0.0.0.0", "0.0.0.0", 39539),
        ("vmc:192.168.1.20:39540", "192.168.1.20", 39540),
        ("openseeface:studio-2.local", "studio-2.local", 11573),
        ("vmc:[::1]", "::1", 39539),
        ("vmc:[fe80::1]:40000", "fe80::1", 40000),
    ],
)
def test_addresses(spec: str, host: str, port: int) -> None:
    endpoint = parse_endpoint(spec)
    assert (endpoint.host, endpoint.port, endpoint.sender) == (host, port, None)
    assert is_protocol(spec)


@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_the_sender_s_address(name: str) -> None:
    named = parse_endpoint(f"{name}@192.168.1.7")
    assert (named.host, named.port, named.sender) == ("", PROTOCOLS[name].port, "192.168.1.7")
    named = parse_endpoint(f"{name}:0.0.0.0:49984@phone.local")
    assert (named.host, named.port, named.sender) == ("0.0.0.0", 49984, "phone.local")


@pytest.mark.parametrize(
    "spec",
    ["song", "", "vmc:", "vmc::1", "vmc:host:", "vmc:host:0", "vmc:host:65536", "vmc:host:x", "vmc:a b", "vmc:[::1", "vmc:[song]",
     "vmc:-host", "vmc:1:2:3", "vmc:0", "vmc@", "vmc@a b", "vmc@1.2.3.4@1.2.3.4", "vmc:\N{DIGIT ONE}\N{SUPERSCRIPT TWO}"],
)  # fmt: skip
def test_addresses_that_make_no_sense(spec: str) -> None:
    with pytest.raises(ConfigError):
        parse_endpoint(spec)


@given(st.text("0123456789.:[]@ab-\xb2", max_size=20))
@settings(max_examples=60)
def test_any_address_is_understood_or_refused(text: str) -> None:
    try:
        assert parse_endpoint(f"vmc:{text}").port > 0
    except ConfigError as error:
        assert "vmc" in str(error)
