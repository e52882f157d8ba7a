#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_memory_table into corpus/memory_table: one series of tables each."""
import os
import struct

SET, ADD, _, REMOVE, _, LOOK_UP, REFUSE = range(7)
ARENA, FIRST, SECOND, THIRD, LIKE_ARENA, READ_ONLY, EVENTFD, PIPE = range(8)


def step(what, arguments=b''):
    return struct.pack('<BH', what, len(arguments)) + arguments


def region(file, gpa, size, uva, offset=0):
    """gpa in KiB, size and offset in units of 256 bytes, uva in pages."""
    return bytes([file, gpa, size, uva, offset])


def long_region(file, gpa, size, uva, offset=0):
    return struct.pack('<BQQQQ', file | 0x80, gpa, size, uva, offset)


def table(*regions):
    return step(SET, bytes([len(regions)]) + b''.join(regions))


def add(one_region):
    return step(ADD, one_region)


def remove(number, one_region=b''):
    return step(REMOVE, bytes([number]) + one_region)


def refuse(yes):
    return step(REFUSE, bytes([yes]))


def look_up(gpa, length, hint=0):
    return step(LOOK_UP, struct.pack('<QIB', gpa, length - 1, hint))


one = region(FIRST, 0, 64, 0)
adjacent = [region(FIRST, 0, 4, 0), region(SECOND, 1, 4, 1, 8), region(THIRD, 2, 60, 2)]

SEEDS = {
    'one': table(one) + look_up(100, 5) + look_up(0x3fff, 9) + look_up(0x4000, 1),
    'adjacent': table(*adjacent) + look_up(0x3ff, 0x500) + look_up(0x800, 4, 2),
    'descending': table(*adjacent[::-1]) + look_up(0x400, 1, 63),
    'eight': table(*[region(FIRST, 8 * i, 8, i, i) for i in range(8)]),
    'nine': table(*[region(FIRST, 8 * i, 8, i) for i in range(9)]),
    'sixteen-left-out': table(*[region(READ_ONLY if i % 2 else SECOND, 8 * i, 8, i)
                                for i in range(16)]),
    'arena-and-others': table(region(ARENA, 100, 16, 9), one, region(EVENTFD, 200, 1, 7),
                              region(PIPE, 201, 1, 7)),
    'overlap': table(one, region(SECOND, 15, 4, 32)),
    'empty-size': table(one, region(SECOND, 90, 0, 32)),
    'at-the-top': table(long_region(FIRST, 2**64 - 0x2000, 0x1000, 2**64 - 0x2000)) +
                  look_up(2**64 - 0x1001, 16),
    'wraps': table(long_region(FIRST, 2**64 - 0x1000, 0x2000, 0)),
    'to-the-end-of-the-file': table(region(FIRST, 0, 32, 0, 32)),
    'offset-wraps': table(long_region(FIRST, 0, 0x1000, 0, 2**64 - 0x800)),
    'same-again': table(one) + table(one),
    'add-remove': add(one) + add(region(SECOND, 64, 64, 64)) +
                  remove(0) + add(one) + remove(1),
    'add-arena': table(one) + add(region(ARENA, 100, 16, 9)) + remove(1),
    'add-nine': b''.join(add(region(FIRST, 8 * i, 8, i)) for i in range(9)),
    'add-overlap': table(one) + add(region(SECOND, 1, 4, 32)) + remove(1),
    'remove-unknown': table(one) + remove(255, region(SECOND, 1, 4, 1)),
    'refused': table(one) + refuse(1) + table(*adjacent) + refuse(0) +
               add(region(THIRD, 77, 4, 1)) + table(one),
}

if __name__ == '__main__':
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'memory_table')
    os.makedirs(folder, exist_ok=True)
    for name, data in SEEDS.items():
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(b'\0' + data)
