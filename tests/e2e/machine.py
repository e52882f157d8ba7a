# SPDX-License-Identifier: BSD-3-Clause
"""The virtual host: a machine under QEMU without a processor to help, Debian's kernel, and the files
of the machine outside. It runs one command and is gone."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import kernel as kernels
import qemu
from vmedia_test import child_setup

HERE = Path(__file__).resolve().parent
OLDEST_QEMU = (7, 0)
TIMED_OUT, DIED = 124, 125
KERNEL_OPTIONS = ('console=ttyS0 panic=-1 loglevel=5 nokaslr mitigations=off audit=0 '
                  'no_timer_check cryptomgr.notests')
COMPLAINT = re.compile(r'(BUG: |Oops|WARNING: |general protection|INFO: task .* blocked|'
                       r'Kernel panic|rcu:.* stall).*')
PASSED_ON = re.compile(r'^(PATH|HOME|LANG|LC_\w+|TERM|VMEDIA_\w+)$')


class Machine:
    """What a virtual host shall be like; run() starts it and waits for its end."""

    def __init__(self, parts=('media',), cpus=2, memory_mib=2048, hugepages=0, writable=(),
                 nodes=1, series=kernels.MAIN):
        self.qemu = qemu.find(OLDEST_QEMU)
        self.kernel = kernels.prepare(series, *parts)
        self.cpus, self.memory_mib, self.hugepages, self.nodes = cpus, memory_mib, hugepages, nodes
        self.writable = [Path(folder).resolve() for folder in writable]

    def command_line(self, folder, ports, terminal):
        options = f'{KERNEL_OPTIONS} hugepages={self.hugepages} e2e.script={folder / "script"}'
        line = [*self.qemu, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
                '-accel', 'tcg,thread=multi', '-machine', 'q35', '-cpu', 'max',
                '-smp', str(self.cpus), '-m', f'{self.memory_mib}M',
                '-kernel', str(self.kernel.image), '-initrd', str(folder / 'initramfs'),
                '-append', options, '-serial', f'file:{folder / "console"}',
                '-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci']
        shares = [('host', '/', ',readonly=on')]
        shares += [(f'writable{i}', path, '') for i, path in enumerate(self.writable)]
        for tag, path, more in shares:
            line += ['-fsdev', f'local,id={tag},path={path},security_model=none,'
                               f'multidevs=remap{more}',
                     '-device', f'virtio-9p-pci,fsdev={tag},mount_tag={tag}']
        for node in range(self.nodes if self.nodes > 1 else 0):
            share = f'{self.memory_mib // self.nodes}M'
            line += ['-object', f'memory-backend-ram,id=node{node},size={share}',
                     '-numa', f'node,nodeid={node},cpus={node},memdev=node{node}']
        for name, descriptor in ports.items():
            line += ['-chardev', f'file,id={name},path=/dev/fd/{descriptor}',
                     '-device', f'virtserialport,chardev={name},name={name}']
        if terminal:
            line += ['-chardev', 'stdio,id=terminal,signal=off',
                     '-device', 'virtconsole,chardev=terminal']
        return line

    def script(self, command):
        """What guest/start needs to know."""
        passed = [f'export {name}={shlex.quote(value)}' for name, value in os.environ.items()
                  if PASSED_ON.match(name)]
        words = shlex.join(map(str, command)) if command else \
            f'exec {self.kernel.busybox} setsid -c /bin/bash -i'
        return '\n'.join([
            f'busybox={self.kernel.busybox}', f'modules={self.kernel.modules.parent}',
            f'writable={shlex.quote(" ".join(map(str, self.writable)))}',
            f'terminal={"" if command else "yes"}',
            'command() {', f'cd {shlex.quote(os.getcwd())}', *passed, words, '}',
            f'. {HERE}/guest/start', ''])

    def run(self, command, seconds, out, err):
        """Runs a command inside, a shell when it is empty; what it writes goes to the binary streams
        out and err as it comes. Its exit status; TIMED_OUT, or DIED when the machine ended on its
        own."""
        folder = Path(tempfile.mkdtemp(prefix='vmedia-e2e-'))
        try:
            (folder / 'script').write_text(self.script(command), encoding='utf-8')
            kernels.make_initramfs(self.kernel, folder / 'initramfs')
            return self.run_in(folder, not command, seconds, (out, err))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run_in(self, folder, terminal, seconds, streams):
        pipes = {name: os.pipe() for name in ('out', 'err', 'status')}
        line = self.command_line(folder, {name: pipe[1] for name, pipe in pipes.items()}, terminal)
        with open(folder / 'qemu', 'wb') as log:
            process = subprocess.Popen(line, stdin=None if terminal else subprocess.DEVNULL,
                                       stdout=None if terminal else log, stderr=log,
                                       pass_fds=[pipe[1] for pipe in pipes.values()],
                                       preexec_fn=child_setup(None))
        for _, end in pipes.values():
            os.close(end)
        said = bytearray()
        readers = [threading.Thread(target=copy, args=(pipes[name][0], sink)) for name, sink in
                   (('out', streams[0].write), ('err', streams[1].write), ('status', said.extend))]
        for reader in readers:
            reader.start()
        timed_out = False
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            process.kill()
            process.wait()
            for reader in readers:
                reader.join()
        return self.judge(folder, said.decode().strip(), timed_out and seconds)

    def judge(self, folder, said, too_long):
        """The exit status; says what the kernel complained about and why there is no status."""
        console = (folder / 'console').read_text(encoding='utf-8', errors='replace') \
            if (folder / 'console').exists() else ''
        for found in COMPLAINT.finditer(console):
            kernels.say(f'the kernel inside: {found.group(0)}')
        if said:
            return int(said)
        tail = '\n'.join(console.splitlines()[-30:])
        qemu_said = (folder / 'qemu').read_text(encoding='utf-8', errors='replace').strip()
        kernels.say(f'{tail}\n{qemu_said}')
        kernels.say(f'the command did not end within {too_long} s' if too_long
                    else 'the machine ended without a status of the command')
        return TIMED_OUT if too_long else DIED


def copy(descriptor, sink):
    """What comes out of a pipe, as it comes, until its end."""
    while data := os.read(descriptor, 65536):
        sink(data)
    os.close(descriptor)


def unbuffered(stream):
    """A text stream's binary one, which writes at once."""
    return os.fdopen(os.dup(stream.fileno()), 'wb', buffering=0)


def streams():
    return unbuffered(sys.stdout), unbuffered(sys.stderr)
