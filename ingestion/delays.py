"""Delays as counts by size, so that percentiles can be had of any stretch of time and any workers. Pure.

Guarantee: counts of two batches added are the counts of both; an upper bound read from them is at most 19 %
above the truth (steps of 2^(1/4)).
"""

import math

#: A batch's delays are measured on so many of its records at least, each counted for those it stands for.
SAMPLE = 500
STEPS_PER_OCTAVE = 4
LARGEST = 160  # 2^40 ms, 35 years


def counts(milliseconds: list[float], weight: int) -> list[int]:
    """How many took less than 2^(i/4) ms and not less than the step before, for i from 1; empty for none.

    Each of the sample is counted `weight` times. A clock that is ahead gives a negative delay, counted as none.
    """
    steps = [step(one) for one in milliseconds]
    found = [0] * max(steps, default=0)
    for one in steps:
        found[one - 1] += weight
    return found


def step(milliseconds: float) -> int:
    """The smallest i of 1 to 160 with milliseconds < 2^(i/4)."""
    if milliseconds < 1:
        return 1
    return min(LARGEST, math.floor(math.log2(milliseconds) * STEPS_PER_OCTAVE) + 1)
