# SPDX-License-Identifier: Apache-2.0
"""What of the CPU time is labelled right. The stack says which burn function a sample was taken in, the
label which function its trace asked for."""
import re
from dataclasses import dataclass

PREFIX = "5ba17ace"
BURN = re.compile(r"burn_(\d{3})")


@dataclass
class Load:
    """slots: requests in flight. mode: none, half (of the connections carry contexts), alternate (every
    second request of each connection does) or all."""
    slots: int = 16
    mode: str = "half"
    close: int = 0  # per cent of the requests that end their connection
    seconds: float = 60  # at most; a machine that is busy otherwise takes so long
    cpu_ms: int = 2600   # of work

    def __str__(self):
        return f"{self.slots} {self.mode}" + (f" close {self.close}%" if self.close else "")

    def carries(self, number):
        """Whether the requests that burn in burn_<number> carry a context; see load/load.c."""
        return {"none": False, "half": number // 2 % 2 == 0, "alternate": number % 2 == 0,
                "all": True}[self.mode]


def untraced(slots):
    return Load(slots, "none", cpu_ms=1300)  # all of it can only be wrong, so less will do


def cost_us(number):
    """What a request costs that burns in burn_<number>, before its program's factor; see load/load.c."""
    return 1000 + (number + 3) * 7919 % 5001


QUICK = Load()
FULL = [untraced(1), Load(1, "alternate"), Load(1, "all"),
        untraced(16), Load(16, "half"), Load(16, "alternate"), Load(16, "all"),
        Load(16, "alternate", close=50),
        untraced(256), *(Load(256, mode, cpu_ms=4000) for mode in ("half", "alternate", "all"))]


def burnt(sample):
    """The number of the burn function that a sample was taken in, or None."""
    for frame in sample.frames:
        if found := BURN.fullmatch(frame.function):
            return int(found[1])
    return None


def asked(labels):
    """The number of the function that a label's trace asked for; None without a label. A label that no
    request of ours sent, and a span id of another request than the trace id's, is -1."""
    if "trace_id" not in labels and "span_id" not in labels:
        return None
    trace, span = labels.get("trace_id", ""), labels.get("span_id", "")
    if not trace.startswith(PREFIX) or len(trace) != 32:
        return -1
    number, turn = int(trace[8:12], 16), int(trace[24:], 16)
    return number if span == f"b{number:03x}{turn:012x}" else -1


@dataclass
class Score:
    """CPU time in ns."""
    right: int = 0    # of traced requests, labelled so
    wrong: int = 0    # of traced requests, labelled as another
    missing: int = 0  # of traced requests, without label
    stray: int = 0    # of requests without context, labelled
    clean: int = 0    # of requests without context, without label
    outside: int = 0  # in no burn function, labelled
    other: int = 0    # in no burn function, without label
    samples: int = 0  # in burn functions, by weight

    def add(self, sample, count, value, load):
        truth, label = burnt(sample), asked(sample.labels)
        if truth is None:
            kind = "other" if label is None else "outside"
        elif load.carries(truth):
            kind = "missing" if label is None else "right" if label == truth else "wrong"
        else:
            kind = "clean" if label is None else "stray"
        self.samples += truth is not None and count
        setattr(self, kind, getattr(self, kind) + value)

    @property
    def precision(self):
        """None if nothing was labelled."""
        labelled = self.right + self.wrong + self.stray
        return self.right / labelled if labelled else None

    @property
    def recall(self):
        traced = self.right + self.wrong + self.missing
        return self.right / traced if traced else None

    @property
    def stray_share(self):
        """Of the time of requests without context, what was labelled with somebody's."""
        untraced = self.stray + self.clean
        return self.stray / untraced if untraced else None

    @property
    def burnt(self):
        return self.right + self.wrong + self.missing + self.stray + self.clean


def score(profiles, load):
    out = Score()
    for profile in profiles:
        kinds = [name for name, _ in profile.sample_types]
        if "cpu" not in kinds:
            continue
        index, counts = kinds.index("cpu"), kinds.index("samples")
        for sample in profile.samples:
            out.add(sample, sample.values[counts], sample.values[index], load)
    return out
