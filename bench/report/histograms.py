# SPDX-License-Identifier: BSD-3-Clause
"""Medians, and the histograms of vmedia-load: buckets, percentiles, their HdrHistogram form."""
import base64
import math
import struct
import zlib

SUB_BITS = 7  # 128 steps per power of two, as lib/stats/hist.h says
HDR_SUB_BITS = 11  # 2048 sub-buckets hold 3 significant digits
PERCENTS = [50, 90, 99, 99.9, 99.99]


def median(values):
    """Of those that are known, or None; of an even number the mean of the middle two."""
    known = sorted(v for v in values if v is not None)
    if not known:
        return None
    return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2


def ticks_per_ns(result):
    """The buckets are those of TSC ticks, though the file gives them in ns."""
    return float(result.get('environment', {}).get('tsc_hz', 1e9)) / 1e9


def upper_ns(low_ns, per_ns):
    """Upper edge of a bucket."""
    low = round(low_ns * per_ns)
    return (low + (1 << max(low.bit_length() - 1 - SUB_BITS, 0)) - 1) / per_ns


def buckets(several, per_ns):
    """Several durations together: [(highest ns, count)], ascending; none is above the maximum."""
    counts, most = {}, 0
    for durations in several:
        most = max(most, durations.get('max_ns', 0))
        for low, count in durations.get('histogram_ns', []):
            counts[low] = counts.get(low, 0) + count
    return [(min(upper_ns(low, per_ns), most), count) for low, count in sorted(counts.items())]


def merged(result, side, loop, what):
    """The buckets of all runs together."""
    return buckets([run[side].get(loop, {}).get(what, {}) for run in result['runs']],
                   ticks_per_ns(result))


def percentile(edges, percent):
    """As hist_percentile() takes it; None with fewer than 10 samples beyond it."""
    total = sum(count for _, count in edges)
    if total * (100 - percent) / 100 < 10 - 1e-6:
        return None
    rank = max(math.ceil(total * (percent / 100) * (1 - 1e-12)), 1)
    seen = 0
    for high, count in edges:
        seen += count
        if seen >= rank:
            return high
    return None


# ---- HdrHistogram V2: 3 significant digits, unit 1 ns, zig-zag LEB128 counts, zlib, base64

def hdr_index(value):
    bucket = max(value.bit_length() - HDR_SUB_BITS, 0)
    sub = value >> bucket
    return ((bucket + 1) << (HDR_SUB_BITS - 1)) + sub - (1 << (HDR_SUB_BITS - 1))


def zigzag(n):
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    for _ in range(8):
        if n < 0x80:
            return bytes(out + bytes([n]))
        out.append(n & 0x7f | 0x80)
        n >>= 7
    return bytes(out + bytes([n & 0xff]))


def hdr_encode(edges):
    counts = {}
    for high, count in edges:
        index = hdr_index(max(int(high), 0))
        counts[index] = counts.get(index, 0) + count
    payload, at = bytearray(), 0
    for index in sorted(counts):
        if index > at:
            payload += zigzag(-(index - at))
        payload += zigzag(counts[index])
        at = index + 1
    highest = 1 << 40
    body = struct.pack('>iiiiqqd', 0x1c849303 | 0x10, len(payload), 0, 3, 1, highest, 1.0) + payload
    packed = zlib.compress(bytes(body))
    return base64.b64encode(struct.pack('>ii', 0x1c849304 | 0x10, len(packed)) + packed).decode()
