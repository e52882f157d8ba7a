#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the seeds of fuzz_sequence into corpus/sequence: one guest each."""
import os
import struct

CAMERA, DISPLAY, CODEC, PATTERN, SIMPLE_CODEC, TRANSFORM = range(6)
PACKED, EVENT_IDX, INDIRECT, MIXED = 8, 16, 32, 64
WHOLE, SEND, OPEN, CLOSE, MMAP, MUNMAP, RAW, POST, PASS, WINDOW, LIFE = range(11)
(REQBUFS, QBUF, STREAMON, STREAMOFF, QUERYBUF, PREPARE, CREATE, S_FMT, G_FMT, TRY_FMT, ENUM_FMT,
 SIZES, INTERVALS, G_PARM, S_PARM, QUERYCTRL, QUERY_EXT, QUERYMENU, G_CTRL, S_CTRL, G_EXT, S_EXT,
 TRY_EXT, SUBSCRIBE, UNSUBSCRIBE, ENUMINPUT, S_INPUT, S_OUTPUT) = range(28)
MEM_MMAP, PAGES = 0, 1
RESET, PAUSE, ALL_MEMORY, NO_SECOND, NO_PAGES, LESS_MEMORY = range(6)
NV12, NV12M, YUYV, GREY, XBGR, MJPEG = range(6)
CAPTURE, OUTPUT = 0, 1


def step(what, *arguments):
    data = b''.join(a if isinstance(a, bytes) else bytes([a]) for a in arguments)
    return struct.pack('<BH', what, len(data)) + data


def ioctl(code, *fields, session=0, cut=0, cut_room=0, how=WHOLE):
    return step(how, session, code, cut, cut_room, *fields)


def plane(used=0, length=0, offset=0):
    return struct.pack('<HHB', used, length, offset)


def u16(value):
    return struct.pack('<H', value)


def u24(value):
    return struct.pack('<I', value)[:3]


def buffer(code, index, direction=CAPTURE, memory=MEM_MMAP, planes=(), used=0, length=0, sg=(),
           how=WHOLE):
    tail = bytes([len(planes)]) + b''.join(planes) if planes else b''
    return ioctl(code, index, direction, memory, u16(used), u16(length), 255, 0, tail, *sg, how=how)


def sg(*pieces):
    return bytes([len(pieces)]) + b''.join(u24(at) + u16(length) for at, length in pieces)


def passes(nb=1, how=0):
    return step(PASS, nb - 1, how)


def life(what):
    return step(LIFE, what)


def window(status=0):
    return step(WINDOW, status)


def post(nb=8, size=0):
    return step(POST, size, nb - 1)


def reqbufs(count, direction=CAPTURE, memory=MEM_MMAP, how=WHOLE):
    return ioctl(REQBUFS, count, direction, memory, how=how)


def stream(on, direction=CAPTURE):
    return ioctl(STREAMON if on else STREAMOFF, direction)


OPENED = step(OPEN, 0) + passes()
TWO = (plane(), plane())


def camera(nb=4, memory=MEM_MMAP, planes=TWO, **more):
    out = OPENED + post() + reqbufs(nb, memory=memory) + stream(True)
    return out + b''.join(buffer(QBUF, i, memory=memory, planes=planes,
                    **more) for i in range(nb)) + passes(4)


def both(what, *args, **more):
    return what(*args, direction=CAPTURE, **more) + what(*args, direction=OUTPUT, **more)


def codec(planes=TWO):
    out = OPENED + post() + both(reqbufs, 3) + both(lambda direction: stream(True, direction))
    for i in range(3):
        out += buffer(QBUF, i, direction=OUTPUT, planes=planes) + buffer(QBUF, i, planes=planes)
    return out + passes(4)


MAPPED = step(MMAP, 0, 0, 1, 0) + passes() + window() + passes()
CTRL = bytes([0, 0])
SEEDS = {
    'camera': (CAMERA, camera() + stream(False) + reqbufs(0) + step(CLOSE, 0, 0) + passes()),
    'camera-packed': (CAMERA | PACKED | EVENT_IDX, camera() + life(PAUSE) + camera()),
    'camera-tables': (CAMERA | INDIRECT, camera() + life(RESET) + camera()),
    'display': (DISPLAY | MIXED, OPENED + post() + reqbufs(3) + stream(True) +
                b''.join(buffer(QBUF, i, used=100) for i in range(3)) + passes(3) + stream(False)),
    'codec': (CODEC, codec() + both(lambda direction: stream(False, direction))),
    'codec-simple': (SIMPLE_CODEC, codec(planes=()) + step(CLOSE, 0, 8) + passes()),
    'transform': (TRANSFORM, codec(planes=()) + passes(8) + both(lambda direction: stream(False,
                    direction))),
    'transform-formats': (TRANSFORM, OPENED + ioctl(S_FMT, OUTPUT, YUYV, 32, 16, u16(0), 0) +
                          ioctl(S_FMT, CAPTURE, XBGR, 80, 40, u16(0), 0) + codec(planes=()) +
                          passes(2, 1) +
                          life(RESET)),
    'pattern': (PATTERN, camera(planes=()) + passes(8) + stream(False)),
    'pattern-mjpeg': (PATTERN, OPENED + ioctl(S_FMT, CAPTURE, MJPEG, 160, 120, u16(0), 0) +
                    camera(2, planes=())),
    'pattern-pages': (PATTERN, OPENED + ioctl(S_FMT, CAPTURE, GREY, 160, 120, u16(0), 0) +
                      camera(2, memory=PAGES, planes=(), length=19200, sg=(sg((64, 9000), (12000,
                      10200)),))),
    'pages': (CAMERA, camera(2, memory=PAGES, planes=(plane(length=3072), plane(length=1024)),
                             sg=(sg((0, 2048), (4096, 1024)), sg((8192, 1024)))) +
              life(NO_PAGES) + passes(3) + life(ALL_MEMORY) + life(NO_SECOND) + stream(False) +
              life(LESS_MEMORY) + life(ALL_MEMORY)),
    'map': (CAMERA, camera(2) + MAPPED + step(MMAP, 0, 1, 3, 0) + passes() + reqbufs(0) +
            step(MUNMAP, 0) + step(MUNMAP, 1) + step(MUNMAP, 201) + passes()),
    'map-refused': (CAMERA, camera(1) + step(MMAP, 0, 0, 1, 0) + passes() + window(3) + passes() +
                    step(MMAP, 0, 0, 1, 0) + passes(1, 2)),
    'map-reset': (CAMERA, camera(1) + step(MMAP, 0, 0, 1, 0) + passes() + life(RESET) +
                    camera(1) + MAPPED),
    'map-pause': (CAMERA, camera(1) + step(MMAP, 0, 0, 1, 0) + passes() + life(PAUSE)),
    'map-close-reset': (CAMERA, OPENED + post(1) + reqbufs(1) + stream(True) +
                        buffer(QBUF, 0, planes=TWO) + passes(3) + step(MMAP, 0, 0, 1, 0) +
                        step(CLOSE, 0, 0) + passes() + life(RESET)),
    'two-sessions': (CAMERA, camera(2) + OPENED + ioctl(REQBUFS, 2, CAPTURE, 0, session=1) +
                     step(CLOSE, 0, 0) + ioctl(REQBUFS, 2, CAPTURE, 0, session=1)),
    'many-sessions': (CAMERA, OPENED * 6 + step(CLOSE, 2, 0) + OPENED),
    'deferred-close': (CAMERA, OPENED + reqbufs(4, how=SEND) + step(CLOSE, 0, 0) + passes(2, 1) +
                    passes(2)),
    'deferred-reset': (CAMERA, OPENED + reqbufs(4, how=SEND) + passes(1, 1) + life(RESET)),
    'deferred-deadline': (CAMERA, OPENED + reqbufs(4, how=SEND) + passes(2, 3) + passes(2)),
    'deferred-pause': (CAMERA, OPENED + reqbufs(4, how=SEND) + passes(1, 1) + life(PAUSE)),
    'blocked': (CAMERA, OPENED + post() + reqbufs(3, how=SEND) + buffer(QBUF, 0, planes=TWO,
                    how=SEND) +
                ioctl(STREAMON, CAPTURE, how=SEND) + passes(2, 1) + passes(4)),
    'blocked-close': (CAMERA, OPENED + reqbufs(3, how=SEND) + step(CLOSE, 0, 0) +
                      buffer(QBUF, 0, planes=TWO, how=SEND) + passes(2, 1) + passes(4)),
    'create': (CAMERA, OPENED + ioctl(CREATE, 3, MEM_MMAP, CAPTURE, NV12, 64, 32, 2, plane(2048,
                    0)[:3],
                                      plane(1024, 0)[:3]) + reqbufs(2) +
               ioctl(CREATE, 40, MEM_MMAP, CAPTURE, NV12, 64, 32, 1, u16(60000), 0)),
    'prepare': (CAMERA, OPENED + reqbufs(2) + buffer(PREPARE, 0, planes=TWO) + buffer(QBUF, 0,
                    planes=TWO) +
                buffer(QUERYBUF, 1, planes=TWO)),
    'no-events': (CAMERA, OPENED + reqbufs(3) + stream(True) + buffer(QBUF, 0, planes=TWO) +
                    passes(3) +
                  stream(False) + passes(2, 2)),
    'small-events': (CAMERA, OPENED + post(4, 3) + post(2, 5) + reqbufs(3) + stream(True) +
                     buffer(QBUF, 0, planes=TWO) + passes(3) + post()),
    'drain': (CAMERA, camera() + post() + stream(False) + post() + passes()),
    'formats': (CAMERA, OPENED + b''.join(
        ioctl(code, CAPTURE, NV12M, 100, 50, 2, plane(0)[:3]) for code in (G_FMT, TRY_FMT, S_FMT)) +
        ioctl(ENUM_FMT, 2, 3, CAPTURE, 0) + ioctl(SIZES, 0, 0, NV12, 0) + ioctl(INTERVALS, 0, 0,
                    NV12, 0)),
    'busy-format': (CAMERA, OPENED + reqbufs(1) + ioctl(S_FMT, CAPTURE, YUYV, 32, 32, 1,
                    plane(0)[:3])),
    'intervals': (PATTERN, OPENED + ioctl(G_PARM, CAPTURE) + ioctl(S_PARM, CAPTURE, u16(28), 1,
                    u16(32), 50)),
    'controls': (PATTERN, OPENED + ioctl(SUBSCRIBE, 1, CTRL, 1) + post(4) + ioctl(S_CTRL, CTRL,
                    u16(110)) +
                 ioctl(G_CTRL, CTRL) + ioctl(S_EXT, 2, 255, CTRL, u16(120), 255, bytes([1, 0]),
                 u16(150), 255) +
                 ioctl(G_EXT, 1, 255, CTRL, u16(0), 255) + ioctl(TRY_EXT, 1, 255, CTRL, u16(0),
                 0, u16(8), sg((0, 8))) +
                 ioctl(QUERYCTRL, 1, 5, 0) + ioctl(QUERY_EXT, 1, 5, 0) + ioctl(QUERYMENU, 1, 2,
                 0, 0)),
    'events': (CAMERA, OPENED + ioctl(SUBSCRIBE, 1, CTRL, 5) + ioctl(SUBSCRIBE, 3, 0, 0) +
               ioctl(SUBSCRIBE, 4, 0, 0) + ioctl(SUBSCRIBE, 1, bytes([1, 0]), 0) + ioctl(S_CTRL,
               CTRL, u16(105)) +
               ioctl(UNSUBSCRIBE, 0, 0, 0)),
    'inputs': (CAMERA, OPENED + ioctl(ENUMINPUT, 0, 0, 0, 0) + ioctl(S_INPUT, 0, 0, 0, 0) +
               ioctl(S_OUTPUT, 0, 0, 0, 0)),
    'inputs-switched': (PATTERN, OPENED + post() + ioctl(SUBSCRIBE, 4, 1, 0) +
                        ioctl(S_INPUT, 0, 1, 0, 0) + passes() + camera(2, planes=()) +
                        ioctl(S_INPUT, 0, 0, 0, 0) + ioctl(S_INPUT, 0, 1, 0, 0, session=1) +
                        stream(False) + reqbufs(0) + ioctl(S_INPUT, 0, 0, 0, 0) +
                        camera(2, planes=()) + passes(8)),
    'raw': (CAMERA, step(RAW, 16, struct.pack('<II', 1, 0)) + step(RAW, 8, struct.pack('<II', 77,
                    0)) +
            step(RAW, 0, struct.pack('<IIII', 3, 0, 1, 4)) + step(RAW, 8, b'abc') + passes()),
    'unsupported': (CAMERA, OPENED + b''.join(ioctl(140 + n) for n in (0, 17, 23, 61, 71, 105,
                    115))),
    'short': (CAMERA, OPENED + ioctl(REQBUFS, 4, 0, 0, cut=1) + ioctl(G_FMT, CAPTURE, cut_room=9) +
              ioctl(QBUF, 0, 0, 0, cut=90)),
}

if __name__ == '__main__':
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'sequence')
    os.makedirs(folder, exist_ok=True)
    for name, (options, steps) in SEEDS.items():
        with open(os.path.join(folder, name), 'wb') as f:
            f.write(bytes([options]) + steps)
