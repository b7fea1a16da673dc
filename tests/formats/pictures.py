"""The combinations of pictures: which codec in which container, and what is odd about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.formats.truth import FRAMES, SIZE, ffmpeg, master


@dataclass(frozen=True)
class Film:
    """A file, and what a player shows of it."""

    path: Path
    size: tuple[int, int] = SIZE
    """Upright, in square pixels; odd sides get one pixel more in what is made."""
    frames: int = FRAMES
    seconds: float = FRAMES / 25
    sound: bool = True
    still: bool = False
    sync: bool = True
    """Do mark and tone come together, as in the master?"""
    slack_ms: float = 45
    """By how much containers' clocks may make it longer or shorter: a frame, or a packet of sound."""
    colours_within: int = 40


@dataclass(frozen=True)
class PictureCase:
    """One combination."""

    container: str
    codec: str
    oddity: str
    make: Callable[[Path], Film] = field(compare=False)
    refused: str | None = None
    notice: str | None = None

    @property
    def name(self) -> str:
        """As the page and the tests call it."""
        return ", ".join(filter(None, (self.container, self.codec, self.oddity)))


CODECS: Mapping[str, tuple[str, ...]] = {
    "H.264": ("libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
    "H.264 (no B-frames)": ("libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0"),
    "H.264 10 bit": ("libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p10le"),
    "H.264 4:4:4": ("libx264", "-preset", "veryfast", "-pix_fmt", "yuv444p"),
    "HEVC": (
        "libx265",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-x265-params",
        "log-level=0",
    ),
    "HEVC 10 bit": (
        *("libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"),
        *("-x265-params", "log-level=0"),
    ),
    "VP8": ("libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M"),
    "VP9": ("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M"),
    "AV1": ("libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-b:v", "1M"),
    "MPEG-1": ("mpeg1video", "-q:v", "3"),
    "MPEG-2": ("mpeg2video", "-q:v", "3"),
    "MPEG-4": ("mpeg4", "-q:v", "3"),
    "H.263": ("h263", "-q:v", "3", "-vf", "scale=352:288"),
    "MJPEG": ("mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"),
    "ProRes": ("prores_ks", "-profile:v", "1"),
    "ProRes 4444": ("prores_ks", "-profile:v", "4", "-pix_fmt", "yuva444p10le"),
    "DNxHR": ("dnxhd", "-profile:v", "dnxhr_lb", "-pix_fmt", "yuv422p"),
    "FFV1": ("ffv1",),
    "HuffYUV": ("huffyuv", "-pix_fmt", "yuv422p"),
    "raw": ("rawvideo", "-pix_fmt", "yuv420p"),
    "PNG": ("png", "-pix_fmt", "rgb24"),
    "Theora": ("libtheora", "-q:v", "8"),
    "WMV 2": ("wmv2", "-q:v", "3"),
    "Flash (Sorenson)": ("flv1", "-q:v", "3"),
    "QuickTime animation": ("qtrle",),
    "DV": ("dvvideo", "-pix_fmt", "yuv420p", "-vf", "scale=720:576,setsar=16/15"),
    "GIF": ("gif",),
    "APNG": ("apng",),
}
"""Codec -> ffmpeg's encoder and its words."""
_SIZES = {"H.263": (384, 288), "DV": (768, 576)}
"""As shown, where the codec has a size of its own."""

CONTAINERS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "MP4": (
        "mp4", ("-c:a", "aac"),
        ("H.264", "H.264 10 bit", "H.264 4:4:4", "HEVC", "HEVC 10 bit", "VP9", "AV1", "MPEG-2",
         "MPEG-4", "MJPEG"),
    ),
    "MOV": (
        "mov", ("-c:a", "pcm_s16le"),
        ("H.264", "H.264 10 bit", "HEVC", "MPEG-4", "MJPEG", "ProRes", "ProRes 4444", "DNxHR", "PNG",
         "QuickTime animation", "DV"),
    ),
    "3GP": ("3gp", ("-c:a", "aac"), ("H.264", "MPEG-4", "H.263")),
    "Matroska": (
        "mkv", ("-c:a", "flac"),
        ("H.264", "H.264 10 bit", "HEVC", "HEVC 10 bit", "VP8", "VP9", "AV1", "MPEG-2", "MPEG-4",
         "MJPEG", "ProRes", "FFV1", "HuffYUV", "Theora", "raw"),
    ),
    "WebM": ("webm", ("-c:a", "libopus"), ("VP8", "VP9", "AV1")),
    "MPEG-TS": ("ts", ("-c:a", "mp2"), ("H.264", "HEVC", "MPEG-2", "MPEG-4")),
    "MPEG-PS": ("mpg", ("-c:a", "mp2", "-f", "vob"), ("MPEG-1", "MPEG-2", "H.264")),
    "AVI": (
        "avi", ("-c:a", "libmp3lame"),
        ("H.264", "MPEG-4", "MJPEG", "FFV1", "HuffYUV", "raw", "DV", "VP8"),
    ),
    "MXF": ("mxf", ("-c:a", "pcm_s16le"), ("MPEG-2", "DNxHR", "H.264", "H.264 (no B-frames)")),
    "ASF": ("wmv", ("-c:a", "wmav2"), ("WMV 2", "MPEG-4")),
    "FLV": ("flv", ("-c:a", "libmp3lame", "-ar", "44100"), ("Flash (Sorenson)", "H.264")),
    "Ogg": ("ogv", ("-c:a", "libvorbis"), ("Theora",)),
    "DV": ("dv", ("-c:a", "pcm_s16le"), ("DV",)),
    "GIF": ("gif", ("-an",), ("GIF",)),
    "APNG": ("apng", ("-an", "-plays", "0", "-f", "apng"), ("APNG",)),
}  # fmt: skip
"""Container -> extension, ffmpeg's words for its sound, the codecs that are tried in it."""

STILLS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "JPEG": ("jpg", ("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p")),
    "PNG": ("png", ("-c:v", "png", "-pix_fmt", "rgb24")),
    "PNG 16 bit": ("png", ("-c:v", "png", "-pix_fmt", "rgb48be")),
    "PNG grey": ("png", ("-c:v", "png", "-pix_fmt", "gray")),
    "WebP": ("webp", ("-c:v", "libwebp", "-q:v", "80")),
    "WebP lossless": ("webp", ("-c:v", "libwebp", "-lossless", "1")),
    "BMP": ("bmp", ("-c:v", "bmp", "-pix_fmt", "bgr24")),
    "TIFF": ("tif", ("-c:v", "tiff", "-pix_fmt", "rgb24")),
}

REFUSED: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "WebP": ("animated", "webp", ("-c:v", "libwebp_anim", "-an", "-t", "0.4")),
    "AVIF": ("AV1", "avif", ("-c:v", "libaom-av1", "-cpu-used", "8", "-frames:v", "1", "-an")),
    "raw H.264": ("H.264", "h264", ("-c:v", "libx264", "-an")),
    "raw HEVC": ("HEVC", "hevc", ("-c:v", "libx265", "-x265-params", "log-level=0", "-an")),
    "raw MPEG-4": ("MPEG-4", "m4v", ("-c:v", "mpeg4", "-an", "-f", "m4v")),
    "IVF": ("VP8", "ivf", ("-c:v", "libvpx", "-an")),
    "Y4M": ("raw", "y4m", ("-pix_fmt", "yuv420p", "-an")),
    "NUT": ("MPEG-4", "nut", ("-c:v", "mpeg4")),
    "RealMedia": ("RealVideo", "rm", ("-c:v", "rv10", "-vf", "scale=352:288", "-c:a", "ac3")),
    "Shockwave": ("Flash", "swf", ("-c:v", "flv1", "-an")),
    "JPEG 2000": ("still", "j2k", ("-c:v", "jpeg2000", "-frames:v", "1", "-an")),
    "PPM": ("still", "ppm", ("-frames:v", "1", "-an")),
    "Targa": ("still", "tga", ("-frames:v", "1", "-an")),
}
"""What is not read -> what is in it, extension, ffmpeg's words."""


def cases() -> Iterator[PictureCase]:
    """All of them, in the page's order."""
    from tests.formats.odd_pictures import oddities

    for container, (_, _, codecs) in CONTAINERS.items():
        for codec in codecs:
            yield PictureCase(container, codec, "", _plain(container, codec))
    for name in STILLS:
        yield PictureCase(name.split(maxsplit=1)[0], f"{name} still", "", _still(name))
    for container, (codec, extension, words) in REFUSED.items():
        make = _stranger(extension, words)
        yield PictureCase(container, codec, "", make, refused="unsupported_media")
    yield from oddities()


def filmed(folder: Path, container: str, codec: str, *words: str) -> Path:
    """The master in a file of that container and codec."""
    extension, sound, _ = CONTAINERS[container]
    path = folder / f"made.{extension}"
    video = ("-c:v", *CODECS[codec])
    ffmpeg("-i", master(_SIZES.get(codec, SIZE)), *video, *sound, *words, path)
    return path


def _plain(container: str, codec: str) -> Callable[[Path], Film]:
    def make(folder: Path) -> Film:
        path = filmed(folder, container, codec)
        sound = container not in ("GIF", "APNG")
        within = 90 if codec == "GIF" else 40
        slack_ms = 100 if container in ("ASF", "AVI", "FLV", "MXF", "DV") else 45
        size = _SIZES.get(codec, SIZE)
        return Film(path, size, sound=sound, sync=sound, colours_within=within, slack_ms=slack_ms)

    return make


def _still(name: str) -> Callable[[Path], Film]:
    def make(folder: Path) -> Film:
        extension, words = STILLS[name]
        path = folder / f"made.{extension}"
        ffmpeg("-i", master(), "-frames:v", 1, "-an", *words, path)
        within = 255 if "grey" in name else 40
        return Film(path, frames=1, sound=False, still=True, sync=False, colours_within=within)

    return make


def _stranger(extension: str, words: tuple[str, ...]) -> Callable[[Path], Film]:
    def make(folder: Path) -> Film:
        path = folder / f"made.{extension}"
        ffmpeg("-i", master(), *words, path)
        return Film(path)

    return make
