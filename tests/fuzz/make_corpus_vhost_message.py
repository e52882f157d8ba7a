#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_vhost_message into corpus/vhost_message: one conversation each."""
import os
import struct

REPLY, NEED_REPLY = 4, 8


def message(request, payload=b'', flags=0, size=None):
    return struct.pack('<III', request, 1 | flags, len(payload) if size is None else size) + payload


def piece(data, nb_fds=0):
    return struct.pack('<BH', nb_fds, len(data)) + data


def u64(value):
    return struct.pack('<Q', value)


def state(index, num):
    return struct.pack('<II', index, num)


def table(nb):
    regions = b''.join(struct.pack('<QQQQ', i << 32, 1 << 20, 0x7f0000000000 + (i << 20), 0)
                       for i in range(nb))
    return struct.pack('<II', nb, 0) + regions


def ring(queue):
    return (piece(message(8, state(queue, 64))) + piece(message(10, state(queue, 0))) +
            piece(message(9, struct.pack('<IIQQQQ', queue, 0, 0x1000, 0x2000, 0x3000, 0))) +
            piece(message(12, u64(queue)), 1) + piece(message(13, u64(queue), NEED_REPLY), 1) +
            piece(message(18, state(queue, 1), NEED_REPLY)))


def config(request, offset, size):
    return message(request, struct.pack('<III', offset, size, 0) + bytes(size))


def split(data, nb_fds, *cuts):
    edges = [0, *cuts, len(data)]
    return b''.join(piece(data[a:b], nb_fds if a == 0 else 0) for a, b in zip(edges, edges[1:]))


SEEDS = {
    'negotiate': b'\0' + b''.join(piece(message(r)) for r in (1, 15, 17, 44)) +
                 piece(message(16, u64(0x400629))) + piece(message(21, flags=NEED_REPLY), 1) +
                 piece(message(3)) + piece(message(2, u64(0x170000000))),
    'table': b'\0' + piece(message(5, table(2), NEED_REPLY), 2),
    'table_long': b'\0' + piece(message(5, table(16)), 16),
    'table_split': b'\0' + split(message(5, table(2), NEED_REPLY), 2, 5, 12, 20, 30),
    'rings': b'\0' + ring(0) + ring(1),
    'stop': b'\0' + piece(message(18, state(0, 0))) + piece(message(11, state(0, 0))),
    'config': b'\0' + piece(config(24, 0, 40)) + piece(config(25, 4, 8)),
    'config_long': b'\0' + piece(config(24, 0, 4084)),
    'glued': b'\0' + piece(message(1) + message(17) + message(13, u64(256))),
    'unknown': b'\0' + piece(message(1004, flags=NEED_REPLY)) + piece(message(99, bytes(16))),
    'ack': b'\1' + piece(message(9, u64(0), REPLY)) + piece(message(11, state(1, 77), REPLY)),
    'long_refused': b'\0' + piece(message(24, bytes(6000))),
}

if __name__ == '__main__':
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'vhost_message')
    os.makedirs(folder, exist_ok=True)
    for name, data in SEEDS.items():
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(data)
