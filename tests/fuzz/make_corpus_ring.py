#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_ring into corpus/ring: one ring situation each."""
import os
import struct

PACKED, EVENT_IDX, INDIRECT_DESC, REVERSE, RESTART = 1, 2, 4, 8, 16
NEXT, WRITE, INDIRECT = 1, 2, 4
AVAIL, USED = 1 << 7, 1 << 15
NEIGHBOUR, FAR = 0x1000, 0x10000  # guest-physical addresses of the second and third region
TABLE = 0x200  # behind the rings, which start at 0


def split(size, descs, heads, flags=0, idx=None, base=0, tables=(), changes=(), passes=3):
    idx = base + len(heads) if idx is None else idx
    ring = b''.join(struct.pack('<QIHH', *d) for d in descs).ljust(16 * size, b'\0')
    slots = [0] * size
    for i, head in enumerate(heads):
        slots[(base + i) % size] = head
    ring += struct.pack('<HH%dHH' % size, 0, idx & 0xffff, *slots, base & 0xffff)
    return seed(flags, size, base, ring, tables, changes, passes)


def packed(size, descs, flags=0, wrap=1, event=0, tables=(), changes=(), passes=3):
    mark = AVAIL if wrap else USED
    ring = b''.join(struct.pack('<QIHH', a, n, i, f | mark) for a, n, f, i in descs)
    ring = ring.ljust(16 * size, b'\0') + struct.pack('<I', event)
    return seed(flags | PACKED, size, wrap << 15, ring, tables, changes, passes)


def seed(flags, size, base, ring, tables, changes, passes):
    memory = bytearray(ring)
    for at, entries in tables:
        memory = memory.ljust(at, b'\0') + b''.join(struct.pack('<QIHH', *e) for e in entries)
    header = struct.pack('<BBHHBB', flags, size - 1, base & 0xffff, base & 0xffff,
                         len(changes), passes - 1)
    return header + b''.join(struct.pack('<HH', *c) for c in changes) + bytes(memory)


pair = [(NEIGHBOUR, 16, NEXT, 1), (NEIGHBOUR + 64, 64, WRITE, 0)]
pair_packed = [(NEIGHBOUR, 16, NEXT, 0), (NEIGHBOUR + 64, 64, WRITE, 7)]
table = (TABLE, [(NEIGHBOUR, 8, NEXT, 1), (FAR, 24, NEXT, 2), (FAR + 64, 99, WRITE, 0)])
table_packed = (TABLE, [(NEIGHBOUR, 8, 0, 0), (FAR, 24, 0, 0), (FAR + 64, 99, 0, WRITE)])
to_table = (TABLE, 48, INDIRECT, 0)

SEEDS = {
    'split-pair': split(4, pair, [0]),
    'split-restart': split(4, pair, [0, 0], flags=RESTART),
    'split-event': split(4, pair, [0], flags=EVENT_IDX | REVERSE),
    'split-table': split(8, [to_table], [0], flags=INDIRECT_DESC, tables=[table]),
    'split-mixed': split(8, [(0x1ff0, 32, NEXT, 1), to_table], [0], flags=INDIRECT_DESC,
                         tables=[table]),
    'split-large-table': split(4, [(FAR, 1024 * 16, INDIRECT, 0)], [0], flags=INDIRECT_DESC),
    'split-loop': split(4, [(NEIGHBOUR, 1, NEXT, 1), (NEIGHBOUR, 1, NEXT, 0)], [0]),
    'split-wrap': split(4, pair, [0, 0, 0], base=0xfffe, flags=EVENT_IDX),
    'split-jump': split(4, pair, [0], idx=100),
    'split-wild-head': split(4, pair, [0, 9]),
    'split-outside': split(4, [(0xfffffffffffffff0, 32, 0, 0), (0x1fff, 2, WRITE, 0)], [0, 1]),
    'split-changes': split(4, pair, [0, 0, 0, 0], changes=[(66, 5), (8, 0xffff), (14, 3)]),
    'packed-pair': packed(5, pair_packed),
    'packed-restart': packed(5, pair_packed + pair_packed, flags=RESTART, wrap=0),
    'packed-event': packed(5, pair_packed, flags=EVENT_IDX | REVERSE, event=0x00028001),
    'packed-table': packed(5, [(TABLE, 48, INDIRECT, 3)], flags=INDIRECT_DESC,
                           tables=[(table_packed[0], table_packed[1])]),
    'packed-endless': packed(3, [(NEIGHBOUR, 1, NEXT, 0)] * 3),
    'packed-changes': packed(3, pair_packed, changes=[(46, 0x80), (14, 0x8080), (30, 1)]),
}

if __name__ == '__main__':
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'ring')
    os.makedirs(folder, exist_ok=True)
    for name, content in SEEDS.items():
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(content)
