# SPDX-License-Identifier: Apache-2.0
"""A pprof encoder and decoder of a few lines, so that tests need no protobuf module.

encode() makes what a test wants to push, decode() reads what spanprof wrote. Independent of the
code under test on purpose.
"""
import gzip
import time
from dataclasses import dataclass, field

CPU_TYPES = (("samples", "count"), ("cpu", "nanoseconds"))
CPU_PERIOD = ("cpu", "nanoseconds")


@dataclass
class Frame:
    function: str
    system_name: str = ""
    file: str = ""
    line: int = 0
    address: int = 0
    mapping: str = ""
    build_id: str = ""
    inlined: bool = False


@dataclass
class Sample:
    frames: list  # leaf first, inlined callees before their callers
    values: list
    labels: dict

    @property
    def stack(self):
        """Function names, root first."""
        return tuple(frame.function for frame in reversed(self.frames))


@dataclass
class Profile:
    sample_types: list = field(default_factory=list)
    samples: list = field(default_factory=list)
    period_type: tuple = ("", "")
    period: int = 0
    time_nanos: int = 0
    duration_nanos: int = 0
    mappings: list = field(default_factory=list)  # dicts
    strings: list = field(default_factory=list)
    comments: list = field(default_factory=list)

    def total(self, sample_type, **labels):
        """Sum over the samples that carry all of labels."""
        index = [name for name, _ in self.sample_types].index(sample_type)
        return sum(s.values[index] for s in self.samples if labels.items() <= s.labels.items())


# Encoding


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(tag, n):
    return varint(tag << 3) + varint(n) if n else b""


def message(tag, data):
    return varint(tag << 3 | 2) + varint(len(data)) + data


def packed(tag, numbers):
    return message(tag, b"".join(map(varint, numbers)))


class Interner(dict):
    """Numbers what it is asked for, from first on."""

    def __init__(self, first):
        super().__init__()
        self.first = first

    def __missing__(self, key):
        self[key] = len(self) + self.first
        return self[key]


def encode(samples, sample_types=CPU_TYPES, period_type=CPU_PERIOD, period=10_000_000,
           time_nanos=None, duration_nanos=10_000_000_000, compress=True):
    """samples: (function names root first, values, labels) each; period_type None leaves it out."""
    strings, functions = Interner(0), Interner(1)
    strings[""]
    out = b""
    for kind, unit in sample_types:
        out += message(1, number(1, strings[kind]) + number(2, strings[unit]))
    body = []
    for stack, values, labels in samples:
        data = packed(1, [functions[name] for name in reversed(stack)]) + packed(2, values)
        for key, value in labels.items():
            data += message(3, number(1, strings[key]) + number(2, strings[value]))
        body.append(message(2, data))
    out += b"".join(body) + message(3, number(1, 1) + number(7, 1))
    for name, ident in functions.items():
        line = message(4, number(1, ident) + number(2, 1))
        out += message(4, number(1, ident) + number(2, 1) + number(3, 0x1000 + ident) + line)
        out += message(5, number(1, ident) + number(2, strings[name]) + number(3, strings[name]))
    if period_type:
        kind, unit = period_type
        out += message(11, number(1, strings[kind]) + number(2, strings[unit]))
        out += number(12, period)
    out += number(9, time.time_ns() if time_nanos is None else time_nanos)
    out += number(10, duration_nanos)
    out += b"".join(message(6, text.encode()) for text in strings)
    return gzip.compress(out, mtime=0) if compress else out


# Decoding


def read_varint(data, at):
    n = shift = 0
    while True:
        byte = data[at]
        at += 1
        n |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return n & (1 << 64) - 1, at
        if shift > 63:
            raise ValueError("varint too long")


def fields(data):
    """Yields (tag, value): an int, or the bytes of a message, a string or a packed list."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        tag, wire = key >> 3, key & 7
        if wire == 0:
            value, at = read_varint(data, at)
        elif wire == 2:
            size, at = read_varint(data, at)
            if at + size > len(data):
                raise ValueError("field runs past the end")
            value, at = data[at:at + size], at + size
        else:
            raise ValueError(f"wrong wireType {wire}")
        yield tag, value


def signed(n):
    return n - (1 << 64) if n >> 63 else n


def numbers(value):
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        n, at = read_varint(value, at)
        out.append(n)
    return out


def collect(data):
    """{tag: [values]}"""
    out = {}
    for tag, value in fields(data):
        out.setdefault(tag, []).append(value)
    return out


class Decoder:
    def __init__(self, data):
        self.top = collect(data)
        self.strings = [text.decode() for text in self.top.get(6, [])]
        if not self.strings or self.strings[0]:
            raise ValueError("string_table[0] is not empty")
        self.mappings = {m["id"]: m for m in map(self.mapping, self.top.get(3, []))}
        self.functions = {f[0]: f for f in map(self.function, self.top.get(5, []))}
        self.locations = dict(map(self.location, self.top.get(4, [])))

    @staticmethod
    def one(message_fields, tag):
        return message_fields.get(tag, [0])[-1]

    def text(self, message_fields, tag):
        return self.strings[self.one(message_fields, tag)]

    def value_type(self, data):
        f = collect(data)
        return self.text(f, 1), self.text(f, 2)

    def mapping(self, data):
        f = collect(data)
        names = {1: "id", 2: "start", 3: "limit", 4: "offset", 7: "has_functions",
                 8: "has_filenames", 9: "has_line_numbers", 10: "has_inline_frames"}
        out = {name: self.one(f, tag) for tag, name in names.items()}
        return dict(out, filename=self.text(f, 5), build_id=self.text(f, 6))

    def function(self, data):
        f = collect(data)
        return self.one(f, 1), self.text(f, 2), self.text(f, 3), self.text(f, 4)

    def location(self, data):
        f = collect(data)
        mapping = self.mappings.get(self.one(f, 2), {"filename": "", "build_id": ""})
        lines = [collect(line) for line in f.get(4, [])]
        where = {"address": self.one(f, 3), "mapping": mapping["filename"],
                 "build_id": mapping["build_id"]}
        frames = [Frame(*self.functions[self.one(line, 1)][1:], line=self.one(line, 2),
                        inlined=i + 1 < len(lines), **where) for i, line in enumerate(lines)]
        return self.one(f, 1), frames or [Frame("", **where)]

    def sample(self, data):
        f = collect(data)
        frames = [frame for value in f.get(1, []) for ident in numbers(value)
                  for frame in self.locations[ident]]
        values = [signed(n) for value in f.get(2, []) for n in numbers(value)]
        labels = {}
        for label in map(collect, f.get(3, [])):
            labels[self.text(label, 1)] = self.text(label, 2) if 2 in label else self.one(label, 3)
        return Sample(frames, values, labels)

    def profile(self):
        top = self.top
        return Profile(
            sample_types=[self.value_type(v) for v in top.get(1, [])],
            samples=[self.sample(v) for v in top.get(2, [])],
            period_type=self.value_type(top[11][-1]) if 11 in top else ("", ""),
            period=signed(self.one(top, 12)),
            time_nanos=signed(self.one(top, 9)),
            duration_nanos=signed(self.one(top, 10)),
            mappings=list(self.mappings.values()),
            strings=self.strings,
            comments=[self.strings[n] for value in top.get(13, []) for n in numbers(value)])


def plain(data):
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def decode(data):
    """Raises ValueError, KeyError, IndexError, EOFError or OSError for what is no profile."""
    return Decoder(plain(data)).profile()


def read(path):
    with open(path, "rb") as f:
        return decode(f.read())
