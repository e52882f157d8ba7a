# SPDX-License-Identifier: BSD-3-Clause
"""What tests of tracing share: LTTng to themselves, recordings, and their events."""
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from vmedia_test import BUILD, COMPLETE, ROOT, claim, libc, skip, wait_until

TOOL = BUILD / 'trace/tool/vmedia-trace'
CLONE_NEWNS, MS_REC_PRIVATE = 0x20000, 0x44000
LINE = re.compile(r'^\[(\d+)\.(\d+)\] \S+ vmedia:(\w+): \{[^}]*\}, \{ ?(.*?) ?\}$')
FIELD = re.compile(r'(\w+) = (?:\( (?:"([^"]*)"|<unknown>) : container = (-?\d+) \)|"([^"]*)"|'
                   r'(-?0x[0-9A-Fa-f]+|-?\d+))')


# In the smoke scope these record what their vmediads do, and `check` judges it.
TRACED_IN_SMOKE = ('test-agreement', 'test-memory-lost', 'test-slow-driver', 'test-v4l2-backend',
                   'test-v4l2-ioctls')
# These measure what tracing would change, or record by themselves.
NEVER_TRACED = ('test-fairness', 'test-flood', 'test-idle', 'test-no-growth',
                'test-no-system-calls', 'test-noisy-frontend', 'test-trace-clock',
                'test-trace-join', 'test-trace-kept', 'test-tracing', 'trace-cost')


def missing():
    """What tracing needs and is not here; '' nothing."""
    for program in ('lttng', 'lttng-sessiond', 'babeltrace2'):
        if shutil.which(program) is None:
            return f'{program} is missing'
    if not (BUILD / 'trace/libvmedia-trace.so').exists():
        return 'the build has no tracepoints: no LTTng-UST'
    if not (BUILD / 'trace/analysis/babeltrace-plugin-vmedia.so').exists():
        return 'the build has no Babeltrace plugin'
    return ''


def isolate():
    """An LTTng of our own: a run directory nobody else sees (root), or LTTNG_HOME. Skips without
    the programs."""
    if missing():
        skip(missing())
    if 'VMEDIA_TEST_LTTNG' in os.environ:
        return  # done already, by us or by who started us
    home = tempfile.mkdtemp(prefix='vmedia-lttng-')
    os.environ['LTTNG_HOME'] = os.environ['VMEDIA_TEST_LTTNG'] = home
    if os.getuid() != 0:
        return
    Path('/var/run/lttng').mkdir(exist_ok=True)
    run = str(Path('/var/run/lttng').resolve()).encode()
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(None, b'/', None, MS_REC_PRIVATE, None) != 0 \
            or libc.mount(b'tmpfs', run, b'tmpfs', 0, None) != 0:
        skip(f'no mount namespace: {os.strerror(ctypes.get_errno())}')


def is_traced():
    """Whether the vmediads of this test are recorded, for `check` to judge. VMEDIA_TEST_TRACE=1
    or 0 decides for any test; else the scope does. To be asked ahead of their start: they need
    the same LTTng."""
    test = Path(sys.argv[0]).name
    by_scope = test in TRACED_IN_SMOKE or (COMPLETE and test not in NEVER_TRACED)
    if os.environ.get('VMEDIA_TEST_TRACE', '1' if by_scope else '0') != '1':
        return False
    if missing():
        print(f'  left out: the trace, because {missing()}', flush=True)
        return False
    isolate()
    return True


def is_registered(pid):
    said = subprocess.run(['lttng', '--no-sessiond', 'list', '--userspace'], capture_output=True,
                          text=True, check=False).stdout
    return f'PID: {pid} ' in said


class Trace:
    """vmedia-trace record as a context manager: of the vmediads that run, or around a command."""

    def __init__(self, *options, pid=None):
        self.folder = Path(tempfile.mkdtemp(prefix='vmedia-trace-'))
        self.path = self.folder / 'trace'
        self.command = [str(TOOL), 'record', '--output', str(self.path), *options]
        self.pid = pid
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
        if self.pid is not None:
            wait_until(lambda: is_registered(self.pid), 30, 'the process hears of the recording')
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        self.out, err = self.process.communicate(timeout=300)
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

    def judge(self):
        """Claims that the device kept its promises, then removes the trace."""
        status, text = self.check()
        claim(status == 0, f'check: {text}')
        self.remove()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def timed_events(path):
    """(ns, name, {field: value}) of a trace in order; numbers are int, strings and enums str."""
    done = subprocess.run(['babeltrace2', '--clock-seconds', '--no-delta', path], text=True,
                          capture_output=True, check=False)
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
