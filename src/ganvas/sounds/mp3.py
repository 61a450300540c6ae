"""How many samples an MP3 file has that does not say so, by counting its frames.

Its decoder trusts the count in the Xing frame at the beginning, and without one infers the count from the size of the
file and the bit rate of the first frame. Where the bit rate varies that is wrong: sounds would be cut short, or be
taken for files that were cut off. Such files get a Xing frame with the right count.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeGuard

RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # by version's bits
KILOBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
ROOM = {3: 5, 2: 8}  # the number of 64 kbit/s in these tables: such a frame has room for the count
TAGS = b"TAG", b"APETAGEX", b"LYRICS"  # what may follow the last frame
SEARCHED = 1 << 16  # bytes of a file that are searched for lost frames
MOST = 700  # seconds that are counted: the decoder's caller refuses as many


class Head(NamedTuple):
    """The head of a frame of MPEG audio, layer III."""

    version: int  # 3: MPEG 1; 2: MPEG 2; 0: MPEG 2.5
    rate: int  # samples a second
    mono: bool
    size: int  # bytes of the frame

    @property
    def samples(self) -> int:
        return 1_152 if self.version == 3 else 576

    @property
    def tag(self) -> int:
        """Where a Xing frame has its mark: after the head and side information of zeros."""
        return 4 + ((17, 32) if self.version == 3 else (9, 17))[not self.mono]


def head(data: bytes, place: int) -> Head | None:
    """The head that is there; None: there is none, or one of a free bit rate or another layer."""
    if place + 4 > len(data) or data[place] != 0xFF or data[place + 1] & 0xE6 != 0xE2:
        return None
    version, third = data[place + 1] >> 3 & 3, data[place + 2]
    if version == 1 or not 0 < third >> 4 < 15 or third >> 2 & 3 == 3:
        return None
    rate, kilobits = RATES[version][third >> 2 & 3], KILOBITS[max(2, version)][third >> 4]
    size = (144 if version == 3 else 72) * kilobits * 1_000 // rate + (third >> 1 & 1)
    return Head(version, rate, data[place + 3] >> 6 == 3, size)


def counted(data: bytes) -> bytes:
    """A file of MPEG audio, layer III, that states how many frames it has; as it is where it does so already."""
    start = _after_tags(data)
    first = head(data, start)
    if first is None or _states_count(data, start, first):
        return data
    if data[start + 36 : start + 40] == b"VBRI":  # another program's statement, which the decoder takes for sound
        start += first.size
    frames = sum(1 for _ in _frames(data, start, first))
    return _xing(data, start, first, frames) + data[start:] if frames > 1 else data


def _after_tags(data: bytes) -> int:
    """Where the sound begins: after tags of ID3."""
    place = 0
    while data[place : place + 3] == b"ID3" and place + 10 <= len(data):
        a, b, c, d = data[place + 6 : place + 10]
        footer = 10 if data[place + 5] & 0x10 else 0
        place += 10 + footer + (a << 21 | b << 14 | c << 7 | d)
    return place


def _states_count(data: bytes, start: int, first: Head) -> bool:
    mark = start + first.tag
    return data[mark : mark + 4] in (b"Xing", b"Info") and bool(data[mark + 7 : mark + 8] and data[mark + 7] & 1)


def _frames(data: bytes, place: int, first: Head) -> Iterator[int]:
    """Where the frames begin, of MOST seconds; what is between them is skipped, as the decoder does."""
    left, lost = MOST * first.rate // first.samples, SEARCHED
    while place < len(data) and left:
        found = head(data, place)
        if _like(found, first):
            if place + found.size > len(data):
                return
            yield place
            place, left = place + found.size, left - 1
            continue
        if any(data.startswith(tag, place) for tag in TAGS):
            return
        after = _next(data, place + 1, place + lost, first)
        place, lost = after, lost - (after - place)


def _like(found: Head | None, first: Head) -> TypeGuard[Head]:
    """Is it a head that belongs to the same file?"""
    return found is not None and (found.version, found.rate) == (first.version, first.rate)


def _next(data: bytes, place: int, end: int, first: Head) -> int:
    """Where the next frame begins that another one follows; the end of the data if there is none before `end`."""
    while (place := data.find(b"\xff", place, end)) >= 0:
        found = head(data, place)
        if _like(found, first) and _like(head(data, place + found.size), first):
            return place
        place += 1
    return len(data)


def _xing(data: bytes, start: int, first: Head, frames: int) -> bytes:
    """A frame that decodes to nothing and states how many follow."""
    _, version, third, fourth = data[start : start + 4]
    third = ROOM[max(2, first.version)] << 4 | third & 0x0C  # the same rate, no padding
    made = bytes((0xFF, version | 1, third, fourth))  # no checksum
    size = head(made, 0)
    assert size is not None
    made += bytes(first.tag - 4) + b"Xing" + struct.pack(">II", 1, frames)
    return made + bytes(size.size - len(made))
