# SPDX-License-Identifier: BSD-3-Clause
"""What tests of tracing share: LTTng to themselves, recordings, and their events."""
import ctypes
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
from pathlib import Path

from vmedia_test import BUILD, ROOT, claim, libc, skip

TOOL = BUILD / 'trace/tool/vmedia-trace'
CLONE_NEWNS, MS_REC_PRIVATE = 0x20000, 0x44000
LINE = re.compile(r'^\[(\d+)\.(\d+)\] \S+ vmedia:(\w+): \{[^}]*\}, \{ ?(.*?) ?\}$')
FIELD = re.compile(r'(\w+) = (?:\( (?:"([^"]*)"|<unknown>) : container = (-?\d+) \)|"([^"]*)"|'
                   r'(-?0x[0-9A-Fa-f]+|-?\d+))')


def isolate():
    """An LTTng of our own: a run directory nobody else sees (root), or LTTNG_HOME. Skips without
    the programs."""
    for program in ('lttng', 'lttng-sessiond', 'babeltrace2'):
        if shutil.which(program) is None:
            skip(f'{program} is missing')
    if not (BUILD / 'trace/libvmedia-trace.so').exists():
        skip('the build has no tracepoints: no LTTng-UST')
    os.environ['LTTNG_HOME'] = tempfile.mkdtemp(prefix='vmedia-lttng-')
    if os.getuid() != 0:
        return
    Path('/var/run/lttng').mkdir(exist_ok=True)
    run = str(Path('/var/run/lttng').resolve()).encode()
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(None, b'/', None, MS_REC_PRIVATE, None) != 0 \
            or libc.mount(b'tmpfs', run, b'tmpfs', 0, None) != 0:
        skip(f'no mount namespace: {os.strerror(ctypes.get_errno())}')


class Trace:
    """vmedia-trace record as a context manager: of the vmediads that run, or around a command."""

    def __init__(self, *options, pid=None):
        self.folder = Path(tempfile.mkdtemp(prefix='vmedia-trace-'))
        self.path = self.folder / 'trace'
        self.command = [str(TOOL), 'record', '--output', str(self.path), *options]
        if pid is not None:
            self.command.append(f'--pid={pid}')

    def __enter__(self):
        self.process = subprocess.Popen(self.command, text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.said = ''
        while 'recording;' not in self.said:
            line = self.process.stderr.readline()
            if not line:
                raise RuntimeError(f'{self.command}: {self.said}')
            self.said += line
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        self.out, err = self.process.communicate(timeout=60)
        self.said += err
        if kind is None:
            claim(self.process.returncode == 0, f'recorded: {self.out.strip()}'
                  + (self.said if self.process.returncode != 0 else ''))

    def events(self):
        return events(self.path)

    def check(self, *options):
        done = subprocess.run([TOOL, 'check', *options, self.path], capture_output=True, text=True,
                              check=False)
        return done.returncode, (done.stdout + done.stderr).strip()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def timed_events(path):
    """(ns, name, {field: value}) of a trace in order; numbers are int, strings and enums str."""
    done = subprocess.run(['babeltrace2', '--clock-seconds', '--no-delta', path], capture_output=True,
                          text=True, check=False)
    claim(done.returncode == 0, f'babeltrace2 reads the trace: {done.stderr.strip()[:500]}')
    for line in done.stdout.splitlines():
        found = LINE.match(line)
        if found:
            seconds, ns, name, fields = found.groups()
            yield (int(seconds) * 1_000_000_000 + int(ns), name,
                   {f[1]: value_of(f) for f in FIELD.finditer(fields)})


def events(path):
    """The same without the times."""
    for _, name, fields in timed_events(path):
        yield name, fields


def value_of(found):
    _, enum, container, text, number = found.groups()
    if container is not None:
        return enum if enum is not None else int(container)
    return text if text is not None else int(number, 0)


def event_list():
    """{event: {field: type}} and {enum: names} of the list of events."""
    data = tomllib.loads((ROOT / 'trace/provider/events.toml').read_text(encoding='utf-8'))
    listed = {}
    for name, event in data['events'].items():
        pairs = [re.match(r'(\w+): (\w+),', field).groups() for field in event['fields']]
        listed[name] = dict(pairs)
    return listed, {name: set(enum['values']) for name, enum in data['enums'].items()}
