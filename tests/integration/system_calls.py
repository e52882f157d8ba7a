# SPDX-License-Identifier: BSD-3-Clause
"""Counts the system calls of one thread: by the tracepoint raw_syscalls:sys_enter, else by strace.
Where neither is possible this raises, so that a test fails and does not pass unseen."""
import ctypes
import os
import platform
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from pathlib import Path

PERF_TYPE_TRACEPOINT = 2
PERF_ATTR_SIZE = 128
PERF_EVENT_OPEN = {'x86_64': 298, 'aarch64': 241}
TRACEFS = ('/sys/kernel/tracing', '/sys/kernel/debug/tracing')
EVENT = 'events/raw_syscalls/sys_enter/id'
libc = ctypes.CDLL(None, use_errno=True)


def tracepoint_id():
    for folder in TRACEFS:
        path = Path(folder) / EVENT
        if path.exists():
            return int(path.read_text(encoding='utf-8'))
    folder = tempfile.mkdtemp(prefix='vmedia-tracefs-')
    try:
        if libc.mount(b'nodev', folder.encode(), b'tracefs', 0, None) != 0:
            raise OSError(ctypes.get_errno(), 'mount tracefs')
        try:
            return int((Path(folder) / EVENT).read_text(encoding='utf-8'))
        finally:
            libc.umount2(folder.encode(), 0)
    finally:
        os.rmdir(folder)


def perf_event_open(tid):
    attr = bytearray(PERF_ATTR_SIZE)
    struct.pack_into('<IIQ', attr, 0, PERF_TYPE_TRACEPOINT, PERF_ATTR_SIZE, tracepoint_id())
    memory = (ctypes.c_char * PERF_ATTR_SIZE).from_buffer(attr)
    fd = libc.syscall(PERF_EVENT_OPEN[platform.machine()], ctypes.byref(memory), tid, -1, -1, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), 'perf_event_open')
    return fd


class SystemCalls:
    """Context manager; afterwards `count`, and `method` says how it was counted."""

    def __init__(self, tid):
        self.tid, self.count, self.fd, self.strace, self.method = tid, None, None, None, None

    def __enter__(self):
        try:
            self.fd = perf_event_open(self.tid)
            self.method = 'raw_syscalls'
        except (OSError, KeyError, AttributeError) as error:
            print(f'no tracepoint ({error}): strace', flush=True)
            self.start_strace()
        return self

    def start_strace(self):
        if shutil.which('strace') is None:
            raise RuntimeError('system calls can be counted neither by tracepoint nor by strace')
        self.method = 'strace'
        self.file = tempfile.NamedTemporaryFile(prefix='vmedia-strace-', suffix='.txt')
        self.strace = subprocess.Popen(['strace', '-qq', '-o', self.file.name, '-p', str(self.tid)],
                                       stderr=subprocess.PIPE, text=True)
        status = Path(f'/proc/{self.tid}/status')
        end = time.monotonic() + 10
        while f'TracerPid:\t{self.strace.pid}' not in status.read_text(encoding='utf-8'):
            if self.strace.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f'strace cannot attach: {self.strace.stderr.read()}')
            time.sleep(0.01)
        time.sleep(0.2)

    def __exit__(self, *_):
        if self.fd is not None:
            self.count = struct.unpack('<Q', os.read(self.fd, 8))[0]
            os.close(self.fd)
            return
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait(20)
        lines = Path(self.file.name).read_text(encoding='utf-8').splitlines()
        self.count = sum(1 for line in lines if not line.startswith(('---', '+++')))
        self.file.close()
