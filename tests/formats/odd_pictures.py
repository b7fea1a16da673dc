"""What is odd about pictures: orientation, shape, time, colour, streams, ends and joins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tests.formats.pictures import CONTAINERS, Film, PictureCase, filmed
from tests.formats.truth import FRAMES, SIZE, ffmpeg, master

Make = Callable[[Path], Film]
_TRANSPOSED = {90: "transpose=2", 180: "hflip,vflip", 270: "transpose=1"}
"""Degrees clockwise that a player turns it -> how the picture is stored."""
_TAG = {90: 270, 180: 180, 270: 90}
"""The same -> what ffmpeg 5.1's muxer is told to write that (it counts anticlockwise)."""


def oddities() -> Iterator[PictureCase]:
    """All of them."""
    yield from _shapes()
    yield from _times()
    yield from _colours()
    yield from _streams()
    yield from _ends()


def _shapes() -> Iterator[PictureCase]:
    for container, codec in (("MP4", "H.264"), ("MOV", "HEVC"), ("MOV", "ProRes")):
        for degrees in (90, 180, 270):
            make = _rotated(container, codec, degrees)
            yield PictureCase(container, codec, f"turned by {degrees} degrees", make)
    for orientation in (3, 6, 8):
        make = _exif(orientation)
        yield PictureCase("JPEG", "JPEG still", f"EXIF orientation {orientation}", make)
    for container, codec in (("MP4", "H.264"), ("Matroska", "VP9"), ("MPEG-TS", "MPEG-2")):
        yield PictureCase(container, codec, "pixels 4:3", _anamorphic(container, codec))
    for container, codec in (("Matroska", "FFV1"), ("MP4", "H.264 4:4:4"), ("WebM", "VP9")):
        yield PictureCase(container, codec, "odd size", _odd(container, codec))
    yield PictureCase("GIF", "GIF", "odd size", _odd("GIF", "GIF"))


def _rotated(container: str, codec: str, degrees: int) -> Make:
    def make(folder: Path) -> Film:
        stored = filmed(folder, container, codec, "-vf", _TRANSPOSED[degrees])
        path = folder / f"turned.{CONTAINERS[container][0]}"
        ffmpeg("-i", stored, "-c", "copy", "-metadata:s:v:0", f"rotate={_TAG[degrees]}", path)
        return Film(path)

    return make


def _exif(orientation: int) -> Make:
    degrees = {3: 180, 6: 90, 8: 270}[orientation]

    def make(folder: Path) -> Film:
        from PIL import Image

        plain, path = folder / "plain.png", folder / "made.jpg"
        ffmpeg("-i", master(), "-frames:v", 1, "-vf", _TRANSPOSED[degrees], plain)
        image = Image.open(plain).convert("RGB")
        exif = image.getexif()
        exif[274] = orientation
        image.save(path, quality=92, exif=exif)
        return Film(path, frames=1, sound=False, still=True, sync=False)

    return make


def _anamorphic(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        return Film(filmed(folder, container, codec, "-vf", "scale=240:240,setsar=4/3"))

    return make


def _odd(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        path = filmed(folder, container, codec, "-vf", "scale=319:239")
        sound = container != "GIF"
        return Film(path, (319, 239), sound=sound, sync=sound, colours_within=90)

    return make


def _times() -> Iterator[PictureCase]:
    for container, codec in (("MP4", "H.264"), ("Matroska", "VP9"), ("WebM", "VP8")):
        yield PictureCase(container, codec, "variable frame rate", _varying(container, codec))
    for container, codec in (("MP4", "H.264"), ("MPEG-TS", "MPEG-2"), ("MXF", "MPEG-2")):
        yield PictureCase(container, codec, "interlaced", _interlaced(container, codec))
    for container, codec in (("MP4", "H.264"), ("Matroska", "H.264"), ("MPEG-TS", "H.264")):
        yield PictureCase(container, codec, "sound starts late", _late_sound(container, codec))
    for container, codec in (("AVI", "MPEG-4"), ("AVI", "MPEG-2"), ("MP4", "MPEG-4")):
        yield PictureCase(container, codec, "B-frames", _reordered(container, codec))
    for container, codec, rate in (
        ("MP4", "H.264", "60000/1001"), ("MOV", "ProRes", "24000/1001"), ("Matroska", "HEVC", "10"),
    ):  # fmt: skip
        make = _paced(container, codec, rate)
        yield PictureCase(container, codec, f"{rate} frames a second", make)


def _varying(container: str, codec: str) -> Make:
    """Of the master's frames 20 to 27 every third is kept."""

    def make(folder: Path) -> Film:
        kept = "select='not(between(n,20,27))+not(mod(n,3))'"
        path = filmed(folder, container, codec, "-vf", kept, "-fps_mode", "vfr")
        return Film(path, frames=FRAMES - 8 + 3)

    return make


def _interlaced(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        words = ("-vf", "setfield=tff", "-flags", "+ilme+ildct")
        slack_ms = 90 if container == "MXF" else 45
        return Film(filmed(folder, container, codec, *words), slack_ms=slack_ms)

    return make


def _reordered(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        slack_ms = 100 if container == "AVI" else 45
        return Film(filmed(folder, container, codec, "-bf", "2"), slack_ms=slack_ms)

    return make


def _late_sound(container: str, codec: str) -> Make:
    """The tone's file begins 0.2 s later, and lacks its first 0.2 s: mark and tone stay together."""

    def make(folder: Path) -> Film:
        made = filmed(folder, container, codec)
        path = folder / f"late.{CONTAINERS[container][0]}"
        sound = ["-itsoffset", 0.2, "-ss", 0.2, "-i", master()]
        maps = ["-map", "0:v", "-map", "1:a", "-c:v", "copy", *CONTAINERS[container][1]]
        ffmpeg("-i", made, *sound, *maps, path)
        return Film(path)

    return make


def _paced(container: str, codec: str, rate: str) -> Make:
    over, _, under = rate.partition("/")
    per_second = int(over) / int(under or 1)

    def make(folder: Path) -> Film:
        path = filmed(folder, container, codec, "-vf", f"fps={rate}")
        frames = round(FRAMES / 25 * per_second)
        return Film(path, frames=frames, slack_ms=1000 / per_second + 25)

    return make


def _colours() -> Iterator[PictureCase]:
    for container, codec in (("MP4", "HEVC 10 bit"), ("Matroska", "HEVC 10 bit")):
        for transfer in ("smpte2084", "arib-std-b67"):
            name = {"smpte2084": "PQ", "arib-std-b67": "HLG"}[transfer]
            yield PictureCase(container, codec, name, _hdr(container, codec, transfer, True))
            make = _hdr(container, codec, transfer, False)
            oddity = f"{name}, matrix not tagged"
            yield PictureCase(container, codec, oddity, make, notice="BT.2020")


def _hdr(container: str, codec: str, transfer: str, tagged: bool) -> Make:
    def make(folder: Path) -> Film:
        to = f"zscale=tin=bt709:t={transfer}:min=bt709:m=bt2020nc:pin=bt709:p=bt2020:rin=tv:r=tv:npl=100"
        words = ["-vf", f"format=gbrp,zscale=m=bt709:r=tv,format=yuv444p,{to},format=yuv420p10le"]
        words += ["-color_trc", transfer]
        told = f"log-level=0:transfer={transfer}"
        if tagged:
            words += ["-colorspace", "bt2020nc", "-color_primaries", "bt2020"]
            told += ":colormatrix=bt2020nc:colorprim=bt2020"
        else:
            words += ["-colorspace", "unknown", "-color_primaries", "unknown"]
        path = filmed(folder, container, codec, *words, "-x265-params", told)
        return Film(path, colours_within=110)

    return make


def _streams() -> Iterator[PictureCase]:
    for container, codec in (
        ("MP4", "H.264"),
        ("WebM", "VP9"),
        ("MPEG-TS", "H.264"),
        ("AVI", "MPEG-4"),
    ):
        yield PictureCase(container, codec, "no sound", _mute(container, codec))
    for container, codec in (("MP4", "H.264"), ("Matroska", "H.264"), ("MPEG-TS", "H.264")):
        make = _second_sound(container, codec)
        oddity = "sound in the second stream alone"
        yield PictureCase(container, codec, oddity, make, notice="silent")
    for container in ("MP4", "Matroska"):
        yield PictureCase(container, "H.264", "thumbnail first", _thumbnail(container))
    for container in ("MP4", "MOV"):
        yield PictureCase(container, "H.264", "cover picture", _cover(container))


def _mute(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        return Film(filmed(folder, container, codec, "-an"), sound=False, sync=False)

    return make


def _second_sound(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        made = filmed(folder, container, codec)
        path = folder / f"second.{CONTAINERS[container][0]}"
        silence = ["-f", "lavfi", "-t", 1.2, "-i", "anullsrc=r=48000:cl=stereo"]
        maps = ["-map", "0:v", "-map", "1:a", "-map", "0:a", "-c:v", "copy"]
        ffmpeg("-i", made, *silence, *maps, *CONTAINERS[container][1], path)
        return Film(path)

    return make


def _thumbnail(container: str) -> Make:
    def make(folder: Path) -> Film:
        made = filmed(folder, container, "H.264")
        path = folder / f"thumbnail.{CONTAINERS[container][0]}"
        small = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=0.04"]
        maps = ["-map", "1:v", "-map", "0:v", "-map", "0:a", "-c:v:0", "mjpeg", "-c:v:1", "copy"]
        ffmpeg("-i", made, *small, *maps, "-c:a", "copy", "-disposition:v:0", 0, path)
        return Film(path)

    return make


def _cover(container: str) -> Make:
    def make(folder: Path) -> Film:
        made = filmed(folder, container, "H.264")
        path, cover = folder / f"cover.{CONTAINERS[container][0]}", folder / "cover.png"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=0.04", "-frames:v", 1, cover)
        maps = ["-map", "0:v", "-map", "0:a", "-map", "1:v", "-c", "copy"]
        ffmpeg("-i", made, "-i", cover, *maps, "-disposition:v:1", "attached_pic", path)
        return Film(path)

    return make


def _ends() -> Iterator[PictureCase]:
    for container, codec in (("MPEG-TS", "H.264"), ("MPEG-TS", "MPEG-2"), ("MPEG-PS", "MPEG-2")):
        yield PictureCase(container, codec, "joined", _joined(container, codec))
    for container, codec in (("MP4", "H.264"), ("MOV", "ProRes"), ("3GP", "MPEG-4")):
        make = _cut(container, codec)
        yield PictureCase(container, codec, "cut off", make, refused="unsupported_media")
    one = (("MP4", "H.264"), ("Matroska", "FFV1"), ("GIF", "GIF"))
    for container, codec in one:
        yield PictureCase(container, codec, "one frame", _single(container, codec))


def _joined(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        data = filmed(folder, container, codec).read_bytes()
        path = folder / f"joined.{CONTAINERS[container][0]}"
        path.write_bytes(data + data)
        return Film(path, frames=2 * FRAMES, seconds=2 * FRAMES / 25, slack_ms=90)

    return make


def _cut(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        path = filmed(folder, container, codec)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        return Film(path)

    return make


def _single(container: str, codec: str) -> Make:
    def make(folder: Path) -> Film:
        path = filmed(folder, container, codec, "-frames:v", "1", "-an")
        within = 90 if codec == "GIF" else 40
        film = {"frames": 1, "sound": False, "sync": False, "colours_within": within}
        return Film(path, SIZE, seconds=0.04, slack_ms=70, **film)

    return make
