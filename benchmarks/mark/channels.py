"""What happens to a picture between mimicam and whoever looks: codecs at call rates, sizes, crops, light."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final, cast

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Channel = Callable[[Iterable[Picture]], Iterator[Picture]]

RATE_HZ = 30
KEYFRAMES = 3000  # between two of them: calls send one at the start and when asked
OPTIONS: Final = {
    "libx264": {"preset": "veryfast", "tune": "zerolatency"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "row-mt": "1"},
}


def coded(codec: str, kbit_s: int) -> Channel:
    """Through an encoder with a constant rate, and back."""

    def pass_through(pictures: Iterable[Picture]) -> Iterator[Picture]:
        content = io.BytesIO()
        with av.open(content, "w", format="matroska") as container:
            stream: VideoStream | None = None
            for picture in pictures:
                if stream is None:
                    stream = cast(VideoStream, container.add_stream(codec, rate=RATE_HZ))
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt, stream.bit_rate = "yuv420p", 1000 * kbit_s
                    stream.codec_context.gop_size = KEYFRAMES
                    stream.options = dict(OPTIONS[codec])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="bgr24")))
            assert stream is not None
            container.mux(stream.encode(None))
        content.seek(0)
        with av.open(content, "r") as coded_again:
            for decoded in coded_again.decode(video=0):
                yield np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)

    return pass_through


def each(change: Callable[[Picture], Picture]) -> Channel:
    """The same for every picture."""
    return lambda pictures: (np.ascontiguousarray(change(picture), np.uint8) for picture in pictures)


def sized(width: int, height: int) -> Channel:
    """Scaled."""

    def scale(p: Picture) -> Picture:
        how = cv2.INTER_AREA if width < p.shape[1] else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(p, (width, height), interpolation=how), np.uint8)

    return each(scale)


def chain(*channels: Channel) -> Channel:
    """One after the other."""

    def pass_through(pictures: Iterable[Picture]) -> Iterator[Picture]:
        for channel in channels:
            pictures = channel(pictures)
        return iter(pictures)

    return pass_through


def lit(gamma: float, gain: float, more: float) -> Channel:
    """Another brightness."""
    table = np.clip(255 * (np.arange(256) / 255) ** gamma * gain + more, 0, 255).astype(np.uint8)
    return each(lambda p: np.asarray(cv2.LUT(p, table), np.uint8))


def turned(degrees: float) -> Channel:
    """Not upright."""

    def turn(p: Picture) -> Picture:
        height, width = p.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        return np.asarray(cv2.warpAffine(p, matrix, (width, height)), np.uint8)

    return each(turn)


def on_a_screen(p: Picture) -> Picture:
    """In a window on somebody's desktop."""
    canvas = np.full((1080, 1920, 3), 200, np.uint8)
    canvas[203:743, 411:1371] = cv2.resize(p, (960, 540), interpolation=cv2.INTER_AREA)
    return canvas


H264 = coded("libx264", 300)
FOUR_THREE = each(lambda p: p[:, 160:1120])

PROMISED: Final[dict[str, Channel]] = {
    "H.264, 300 kbit/s": H264,
    "VP8, 600 kbit/s": coded("libvpx", 600),
    "VP9, 400 kbit/s": coded("libvpx-vp9", 400),
    "to 360 lines and back, H.264": chain(sized(640, 360), sized(1280, 720), H264),
    "4:3, H.264": chain(FOUR_THREE, H264),
    "darker, H.264": chain(lit(1.4, 0.8, 0), H264),
    "brighter, H.264": chain(lit(0.7, 1.0, 15), H264),
    "H.264, then VP8 at 600 kbit/s": chain(H264, coded("libvpx", 600)),
}
BEYOND: Final[dict[str, Channel]] = {
    "360 lines, H.264 at 150 kbit/s": chain(sized(640, 360), coded("libx264", 150)),
    "H.264, 100 kbit/s": coded("libx264", 100),
    "VP8, 200 kbit/s": coded("libvpx", 200),
    "360 lines, VP8 at 100 kbit/s": chain(sized(640, 360), coded("libvpx", 100)),
    "180 lines, H.264 at 100 kbit/s": chain(sized(320, 180), coded("libx264", 100)),
    "window of a screen, H.264 at 1 Mbit/s": chain(each(on_a_screen), coded("libx264", 1000)),
    "the middle half, H.264": chain(each(lambda p: p[180:540, 320:960]), H264),
    "stretched to 4:3, H.264": chain(sized(960, 720), H264),
    "mirrored, H.264": chain(each(lambda p: p[:, ::-1]), H264),
    "turned by 1 degree, H.264": chain(turned(1.0), H264),
    "blurred over 8 px, H.264": chain(each(lambda p: cv2.GaussianBlur(p, (0, 0), 8)), H264),
}
