#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_gateway into corpus/gateway: one connection each."""
import os
import struct

AUTO, CURRENT, LEGACY, ALL, NO_ARENA = 0, 1, 2, 3, 4
NEED_REPLY = 8
FILE, READ_ONLY, EVENTFD, PIPE, STREAM = 1, 2, 3, 4, 5
KINDS = 6
MESSAGE, PIECE, CHANNEL, ANSWER, PACE, POKE, OTHERS = range(7)
QUIET, LIBRARY, SLEEP, INNER_GONE, GIVE_UP, CHANNEL_GONE, WINDOW = range(7)

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
NUM, ADDR, BASE, GET_BASE, KICK, CALL, ERR = range(8, 15)
GET_PROTOCOL, SET_PROTOCOL, GET_QUEUE_NUM, ENABLE, BACKEND_FD = 15, 16, 17, 18, 21
GET_CONFIG, SET_CONFIG, RESET = 24, 25, 34
SLOTS, ADD, REM, SET_STATUS, GET_STATUS = 36, 37, 38, 39, 40
SHMEM, LEGACY_REGIONS = 44, 1004
FEATURES, PACKED = 1 << 28 | 1 << 29 | 1 << 30 | 1 << 32, 1 << 34
PROTOCOL = 1 << 0 | 1 << 3 | 1 << 5 | 1 << 9 | 1 << 10 | 1 << 22


def fds(*kinds):
    return bytes([len(kinds), *kinds])


def file(number):
    return FILE + KINDS * number


def step(what, arguments=b''):
    return struct.pack('<BH', what, len(arguments)) + arguments


def message(request, payload=b'', *kinds, flags=0):
    return step(MESSAGE, struct.pack('<HB', request, flags) + fds(*kinds) + payload)


def raw(request, payload=b'', flags=0):
    return struct.pack('<III', request, 1 | flags, len(payload)) + payload


def piece(data, *kinds):
    return step(PIECE, fds(*kinds) + data)


def u64(value):
    return struct.pack('<Q', value)


def state(index, num):
    return struct.pack('<II', index, num)


def region(gpa, size, uva, offset=0):
    return struct.pack('<QQQQ', gpa, size, uva, offset)


def table(*regions):
    return struct.pack('<II', len(regions), 0) + b''.join(regions)


def others(what):
    return step(OTHERS, bytes([what]))


def pace(value, room=b''):
    return step(PACE, bytes([value]) + room)


def poke(number, at, value):
    return step(POKE, struct.pack('<BHH', number, at, value))


# To the ends of their files.
MAIN = region(0, 0x4000, 0x7000_0000)
SECOND = region(0x10_0000, 0x3000, 0x7100_0000, 0x1000)


def greet(features=FEATURES, protocol=PROTOCOL, owner=False):
    out = message(SET_OWNER) if owner else b''
    out += message(GET_FEATURES) + message(GET_PROTOCOL) + message(SET_PROTOCOL, u64(protocol))
    out += message(GET_QUEUE_NUM) + message(BACKEND_FD, b'', STREAM, flags=NEED_REPLY)
    return out + message(SHMEM) + message(SET_FEATURES, u64(features))


def memory():
    return message(SET_MEM_TABLE, table(MAIN, SECOND), file(1), file(2), flags=NEED_REPLY)


def ring(queue, size=16, base=0, at=None, enable=1, packed=False, desc=None):
    at = 0x7000_0000 + queue * 0x800 if at is None else at
    used = at + 0x300 if packed else at + 0x400
    addr = struct.pack('<IIQQQQ', queue, 0, desc or at, used, at + 0x200, 0)
    out = message(NUM, state(queue, size)) + message(BASE, state(queue, base))
    out += message(ADDR, addr) + message(CALL, u64(queue), EVENTFD)
    out += message(KICK, u64(queue), EVENTFD, flags=NEED_REPLY)
    return out + (message(ENABLE, state(queue, 1), flags=NEED_REPLY) if enable else b'')


def start(**more):
    return greet(**more) + memory() + ring(0) + ring(1)


STOP = b''.join(message(ENABLE, state(q, 0)) for q in (0, 1)) + \
       b''.join(message(GET_BASE, state(q, 0)) for q in (0, 1))
MAP = others(WINDOW) + step(ANSWER, b'\0')
LEGACY_PROTOCOL = PROTOCOL & ~(1 << 22) | 1 << 31
EVERYTHING = PROTOCOL | 1 << 13 | 1 << 15 | 1 << 16

SEEDS = {
    'start-map-stop': (AUTO, start() + MAP + STOP),
    'restart-new-memory': (AUTO, start() + STOP + memory() + ring(0, base=3) + ring(1) + MAP),
    'new-driver': (AUTO, start() + poke(1, 0x402, 5) + poke(1, 0xc02, 5) + STOP +
                   poke(1, 0x402, 0) + poke(1, 0xc02, 0) + ring(0) + ring(1)),
    'packed': (AUTO, greet(features=FEATURES | PACKED) + memory() +
               ring(0, size=5, base=0x8000, packed=True) +
               ring(1, base=0x8000, packed=True) + STOP),
    'last-in-its-region': (AUTO, greet() + memory() + ring(0, desc=0x7000_4000 - 16 * 16) +
                           ring(1, size=8, desc=0x7100_3000 - 16 * 8)),
    'beyond-its-region': (AUTO, greet() + memory() + ring(0, desc=0x7000_4000 - 16 * 15) +
                          ring(1, size=8, desc=0x7100_3000 - 16 * 7)),
    'slow-device': (AUTO, start() + pace(1) + STOP + others(QUIET) * 3 + memory() + others(QUIET)),
    'slow-library': (AUTO, pace(2) + (message(SET_OWNER, flags=NEED_REPLY) + others(LIBRARY)) * 2),
    'library-refuses': (AUTO, start() + pace(4) + memory() + pace(0) + memory()),
    'slow-front-end': (AUTO, pace(8, b'\x05') + message(GET_FEATURES) + pace(0)),
    'no-protocol-features': (AUTO, message(SET_FEATURES, u64(FEATURES & ~(1 << 30))) + memory() +
                             ring(0, enable=0) + ring(1, enable=0)),
    'crosvm': (LEGACY, greet(protocol=LEGACY_PROTOCOL, owner=True) + memory() + ring(0) + ring(1) +
               message(LEGACY_REGIONS) + MAP),
    'no-reply-ack': (AUTO, greet(protocol=PROTOCOL & ~8) + memory() + ring(0) + ring(1) +
                     others(WINDOW) + others(SLEEP)),
    'map-refused': (AUTO, start() + others(WINDOW) + step(ANSWER, b'\1') + others(WINDOW) +
                    others(SLEEP) * 4),
    'map-late': (AUTO, start() + others(WINDOW) + others(SLEEP) * 3 + step(ANSWER, b'\0')),
    'channel-gone': (AUTO, start() + others(WINDOW) + others(CHANNEL_GONE) +
                     message(BACKEND_FD, b'', STREAM) + others(WINDOW)),
    'channel-nonsense': (AUTO, start() + step(CHANNEL, fds(EVENTFD) + raw(9))),
    'slots': (ALL, greet(protocol=EVERYTHING) + message(SLOTS) +
              message(ADD, u64(0) + MAIN, file(1), flags=NEED_REPLY) + ring(0) + ring(1) +
              message(ADD, u64(0) + SECOND, file(2), flags=NEED_REPLY) +
              message(REM, u64(0) + SECOND, flags=NEED_REPLY)),
    'status-reset': (ALL, greet(protocol=EVERYTHING) + memory() + ring(0) + ring(1) +
                     message(SET_STATUS, u64(15)) + message(GET_STATUS) +
                     message(RESET, flags=NEED_REPLY) + ring(0)),
    'config': (AUTO, message(GET_CONFIG, struct.pack('<III', 4, 36, 0) + bytes(36)) +
               message(GET_CONFIG, struct.pack('<III', 60, 8, 0)) +
               message(SET_CONFIG, struct.pack('<III', 0, 4, 0) + bytes(4), flags=NEED_REPLY)),
    'arena-listed': (AUTO, greet() + message(SET_MEM_TABLE, table(
        MAIN, region(0x20_0000, 0x1000, 0x7200_0000), region(0x30_0000, 0x800, 0)),
        file(1), file(0), READ_ONLY)),
    'glued': (AUTO, piece(raw(GET_FEATURES) + raw(GET_QUEUE_NUM, flags=NEED_REPLY) + raw(SHMEM))),
    'split': (AUTO, piece(raw(SET_MEM_TABLE, table(MAIN))[:5], file(1)) +
              piece(raw(SET_MEM_TABLE, table(MAIN))[5:15]) +
              piece(raw(SET_MEM_TABLE, table(MAIN))[15:])),
    'wrong-fds': (AUTO, message(KICK, u64(0), PIPE, flags=NEED_REPLY) +
                  message(CALL, u64(0), file(1), flags=NEED_REPLY) +
                  message(KICK, u64(0x100), flags=NEED_REPLY) +
                  message(ERR, u64(1), EVENTFD) + message(NUM, state(0, 8), *[EVENTFD] * 18)),
    'unknown': (NO_ARENA, message(99, b'', flags=NEED_REPLY) + message(RESET) +
                message(GET_STATUS)),
    'reply-bit': (AUTO, piece(struct.pack('<III', 1, 5, 0))),
    'malformed': (AUTO, message(SET_FEATURES, b'1234', flags=NEED_REPLY) + message(GET_CONFIG)),
    'library-gone': (AUTO, start() + others(INNER_GONE)),
    'library-gone-slow-device': (AUTO, start() + pace(1) + others(INNER_GONE)),
    'memory-gone': (AUTO, start() + others(GIVE_UP)),
}

if __name__ == '__main__':
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'gateway')
    os.makedirs(folder, exist_ok=True)
    for name, (options, steps) in SEEDS.items():
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(bytes([options]) + steps)
