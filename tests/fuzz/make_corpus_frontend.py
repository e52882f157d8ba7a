#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_frontend into corpus/frontend."""
import pathlib
import struct

OUT = pathlib.Path(__file__).parent / 'corpus' / 'frontend'
FEATURES = 0x170000000
PROTOCOL = 0x400629


def reply(request, body):
    return struct.pack('<III', request, 5, len(body)) + body


def u64(request, value):
    return reply(request, struct.pack('<Q', value))


def connect(features=FEATURES, region=1 << 20):
    shmem = struct.pack('<II', 1, 0) + struct.pack('<256Q', region, *[0] * 255)
    config = struct.pack('<III', 0, 40, 0) + struct.pack('<II32s', 0x04200001, 0, b'card')
    out = u64(1, features) + u64(15, PROTOCOL) + u64(17, 2) + u64(21, 0) + u64(1, features)
    out += u64(13, 0) + u64(14, 0) + u64(13, 0) + u64(14, 0)
    out += reply(44, shmem) + reply(24, config) + u64(5, 0)
    out += (u64(12, 0) + u64(13, 0)) * 2 + u64(18, 0) * 2 + u64(13, 0) * 2
    # A stop.
    out += u64(18, 0) * 2
    out += reply(11, struct.pack('<II', 0, 5)) + reply(11, struct.pack('<II', 1, 8))
    return b'\0' + out


def request(number, body, nb_fds=0, flags=9, size=None):
    size = len(body) if size is None else size
    data = struct.pack('<III', number, flags, size) + body
    return bytes([nb_fds, len(data)]) + data


def window(fd_offset, shm_offset, length, flags=1, shmid=0):
    return struct.pack('<B7xQQQQ', shmid, fd_offset, shm_offset, length, flags)


def ioctl(which, kind, index):
    return bytes([0, which, kind, index])


def used(ring, ident, length):
    return bytes([1 + ring]) + struct.pack('<HHI', ident, 0, length)


def slot(number, offset, data):
    return bytes([3, number]) + struct.pack('<H', offset) + bytes([len(data)]) + data


def event(number, data):
    return bytes([4, number]) + struct.pack('<H', 0) + bytes([len(data)]) + data


POLL = bytes([5])


def rings(mode):
    ok = slot(0, 24, bytes(8))
    reqbufs = ioctl(0, 1, 4) + ok + used(0, 0, 28) + POLL
    qbuf = ioctl(2, 1, 1) + ok + used(0, 0, 96) + POLL
    dqbuf = struct.pack('<IIIIII', 1, 7, 1, 1, 0, 0) + bytes(64)
    head = bytes([mode, 1])
    yield 'stream', head + reqbufs + qbuf + event(0, dqbuf) + used(1, 0, 608) + POLL + POLL
    yield 'planes', head + ioctl(0, 9, 4) + ok + used(0, 0, 28) + POLL + \
        ioctl(3, 9, 3) + ok + used(0, 0, 288) + POLL
    yield 'controls', head + ioctl(6, 0, 0) + ok + used(0, 0, 80) + POLL
    yield 'create', head + ioctl(1, 1, 3) + ok + used(0, 0, 264) + POLL
    yield 'streamoff', head + reqbufs + qbuf + ioctl(5, 1, 0) + ok + used(0, 0, 8) + POLL
    yield 'many', bytes([mode, 0]) + ioctl(7, 0, 0) * 4 + used(0, 2, 16) + used(0, 0, 16) + POLL
    yield 'error-event', head + event(3, struct.pack('<IIII', 0, 7, 19, 0)) + used(1, 3, 16) + POLL
    yield 'wild-id', head + reqbufs + used(0, 0xfff0, 8) + used(1, 9, 608) + POLL
    yield 'jump', head + reqbufs + bytes([1]) + struct.pack('<HHI', 0, 0x1001, 8) + POLL


SEEDS = {
    'main-start-and-stop': connect(),
    'main-no-region': connect(region=0),
    'main-packed': connect(features=FEATURES | 1 << 34),
    'main-no-protocol': b'\0' + u64(1, 1 << 32) * 2,
    'channel-map-unmap': b'\1' + request(9, window(0, 4096, 8192), 1) +
                         request(10, window(0, 4096, 8192)),
    'channel-overlap': b'\1' + request(9, window(0, 0, 65536), 1) +
                       request(9, window(4096, 8192, 4096), 1),
    'channel-config-change': b'\1' + request(2, b'') + request(9, window(0, 0, 4096), 2),
    'channel-unknown': b'\1' + request(77, bytes(64)) + request(78, bytes(60)) +
                       request(79, bytes(64)),
}
for name, mode in (('split', 2), ('packed', 3)):
    for what, data in rings(mode):
        SEEDS[f'{name}-{what}'] = data

OUT.mkdir(parents=True, exist_ok=True)
for name, data in SEEDS.items():
    (OUT / name).write_bytes(data)
