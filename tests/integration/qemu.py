# SPDX-License-Identifier: BSD-3-Clause
"""A QEMU that can attach vmediad: the host's, or one fetched from Debian; started under qtest, that
is without a processor, with its monitor and guest memory at hand."""
import contextlib
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import later_debian
from later_debian import BACKPORTS
from vmedia_test import child_setup, skip

NEEDED = (11, 1)  # the first with vhost-user-test-device-pci and shared memory regions
DEVICE = 'vhost-user-test-device-pci'
VIRTIO_ID = 31  # any that this QEMU knows by name; the socket is not told, and 48 has none yet
SLOT = 4
MEMORY = 'memory-backend-memfd'
MEMORY_MIB = 1152  # the driver's part begins at 1 GiB


def version(command):
    """(11, 1), or None when it does not run."""
    found = later_debian.version(command, r'version (\d+)\.(\d+)')
    return tuple(map(int, found.groups())) if found else None


def fetched(root):
    """The command for a QEMU in a folder of extracted packages."""
    return ['env', f'QEMU_MODULE_DIR={root}/usr/lib/x86_64-linux-gnu/qemu',
            *later_debian.loader(root), str(root / 'usr/bin/qemu-system-x86_64'),
            '-L', str(root / 'usr/share/qemu'), '-L', str(root / 'usr/share/seabios')]


def fetch(root):
    """Extracts QEMU and what it needs into `root`: about 20 s and 180 MB. Why not, or None."""
    return later_debian.fetch(root, 'qemu-system-x86',
                              lambda part: version(fetched(part)) is not None,
                              (later_debian.RELEASE, BACKPORTS))


def find(needed=NEEDED):
    """The command of a QEMU that is new enough; skips the test when there is none."""
    root = later_debian.cache('qemu')
    for command in (['qemu-system-x86_64'], fetched(root)):
        if (version(command) or (0,)) >= needed:
            return command
    why = fetch(root)
    if why is not None:
        skip(f'there is no QEMU {needed[0]}.{needed[1]} here: {why}')
    have = version(fetched(root))
    if have < needed:
        skip(f'{BACKPORTS} has QEMU {have[0]}.{have[1]}, {needed[0]}.{needed[1]} is needed')
    return fetched(root)


class Monitor:
    """QMP: commands and events, one JSON object a line."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile('r', encoding='utf-8')
        self.events = []
        self.read()  # the greeting
        self.run('qmp_capabilities')

    def read(self):
        line = self.lines.readline()
        if not line:
            raise RuntimeError('QEMU closed its monitor')
        return json.loads(line)

    def run(self, command, **arguments):
        message = {'execute': command, 'arguments': arguments}
        self.socket.sendall(json.dumps(message).encode() + b'\n')
        while True:
            answer = self.read()
            if 'event' in answer:
                self.events.append(answer['event'])
            elif 'error' in answer:
                raise RuntimeError(f'{command}: {answer["error"]["desc"]}')
            else:
                return answer['return']

    def wait_event(self, name):
        while name not in self.events:
            answer = self.read()
            if 'event' in answer:
                self.events.append(answer['event'])

    def reset(self):
        """All of the machine; done when this returns."""
        self.events.clear()
        self.run('system_reset')
        self.wait_event('RESET')

    def close(self):
        self.lines.close()
        self.socket.close()


class Qemu:
    """A machine with one device on a socket of vmediad, as a context manager; nothing runs in it.
    Its sockets lie in `folder`."""

    def __init__(self, command, media, folder, cpus=None):
        self.qtest, self.qmp = folder / 'qtest', folder / 'qmp'
        self.command = [
            *command, '-nodefaults', '-no-user-config', '-display', 'none', '-accel', 'qtest',
            '-machine', 'q35,memory-backend=mem', '-m', f'{MEMORY_MIB}M',
            '-object', f'{MEMORY},id=mem,size={MEMORY_MIB}M,share=on',
            '-qtest', f'unix:{self.qtest},server=on,wait=off', '-qtest-log', '/dev/null',
            '-qmp', f'unix:{self.qmp},server=on,wait=off',
            '-chardev', f'socket,id=media,path={media}',
            '-device', f'{DEVICE},chardev=media,virtio-id={VIRTIO_ID},num_vqs=2,vq_size=256,'
                       f'config_size=40,addr={SLOT:02x}']
        self.log = folder / 'qemu.log'
        self.cpus = cpus

    def __enter__(self):
        for path in (self.qtest, self.qmp):
            path.unlink(missing_ok=True)
        with open(self.log, 'w', encoding='utf-8') as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=child_setup(self.cpus))
        self.pid = self.process.pid
        end = time.monotonic() + 30
        while True:
            try:
                self.monitor = Monitor(self.qmp)
                return self
            except OSError as error:  # there, and then not yet listening
                if self.process.poll() is not None or time.monotonic() > end:
                    self.process.kill()
                    self.process.wait()
                    raise RuntimeError(f'QEMU did not start: {error}\n{self.output()}') from error
                time.sleep(0.02)

    def __exit__(self, *_):
        if self.process.poll() is None:
            with contextlib.suppress(OSError, RuntimeError):
                self.monitor.run('quit')
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
            self.process.kill()
        self.process.wait()
        self.monitor.close()

    def output(self):
        return self.log.read_text(encoding='utf-8', errors='replace')

    def memory(self):
        """Path to the file behind guest memory."""
        for entry in Path(f'/proc/{self.pid}/fd').iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(entry).startswith(f'/memfd:{MEMORY}'):
                    return entry
        raise RuntimeError('QEMU has no memory file')

    def usage(self):
        """What must not grow."""
        status = Path(f'/proc/{self.pid}/status').read_text(encoding='utf-8')
        maps = Path(f'/proc/{self.pid}/maps').read_text(encoding='utf-8')
        return {'fds': len(os.listdir(f'/proc/{self.pid}/fd')), 'mappings': maps.count('\n'),
                'threads': int(re.search(r'^Threads:\s*(\d+)', status, re.M).group(1))}
