# SPDX-License-Identifier: BSD-3-Clause
"""What integration tests and bars share: vmediad in a folder of its own, its telemetry, what /proc
says of it, the driver programs beside it, claims, figures and skips."""
import atexit
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('VMEDIA_BUILD', ROOT / 'build')).resolve()
VMEDIAD = BUILD / 'app/vmediad'
STREAM = BUILD / 'app/vmedia-stream'
EXERCISE = BUILD / 'tests/integration/vmedia-exercise'
COMPLETE = os.environ.get('VMEDIA_TEST_SCOPE', 'smoke') == 'all'
CPUS = sorted(os.sched_getaffinity(0))
REACTOR_CPU = CPUS[-1]
DRIVER_CPUS = CPUS[:-1] or CPUS
SKIPPED = 77
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)
failed = []


def claim(holds, text):
    """Prints a claim that holds or not; one that does not makes the test fail at its end."""
    print('  holds ' if holds else '  FAILS ', text, flush=True)
    if not holds:
        failed.append(text)
    return holds


def figure(text):
    """A line for the summary of tests/run."""
    print(f'figure {Path(sys.argv[0]).name}: {text}', flush=True)


def skip(reason):
    print(f'skipped because {reason}', flush=True)
    sys.exit(SKIPPED)


def run(main):
    """Runs a test to its exit status. An exception is a failure, with its traceback."""
    main()
    for text in failed:
        print(f'FAILED: {text}', file=sys.stderr)
    sys.exit(1 if failed else 0)


def wait_until(condition, seconds, what):
    """Polls; False and a failed claim after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            claim(False, f'{what} within {seconds} s')
            return False
        time.sleep(0.01)
    return True


def child_setup(cpus):
    """In the child: it dies with the test, on CPUs of its own."""
    def setup():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if cpus:
            os.sched_setaffinity(0, cpus)
    return setup


# ---- vmediad ------------------------------------------------------------------------------------

def telemetry_path(pid):
    """DPDK's telemetry socket, in EAL's runtime directory for the prefix vmediad-PID."""
    base = '/var/run' if os.getuid() == 0 else os.environ.get('XDG_RUNTIME_DIR', '/tmp')
    return f'{base}/dpdk/vmediad-{pid}/dpdk_telemetry.v2'


def telemetry(pid, command, parameter=None):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(10)
        s.connect(telemetry_path(pid))
        s.recv(4096)
        s.send((command if parameter is None else f'{command},{parameter}').encode())
        return json.loads(s.recv(65536))[command]


class Vmediad:
    """vmediad with devices such as {'cam0': 'backend=pattern,fps=30'}, as a context manager.

    Leaving the context stops it and claims a clean end, unless an exception is under way. Where
    the scope or VMEDIA_TEST_TRACE=1 says so, `vmedia-trace check` judges a recording of it."""

    def __init__(self, devices, *options, cpus=None, env=None, program=VMEDIAD):
        self.folder = Path(tempfile.mkdtemp(prefix='vmedia-test-'))
        self.sockets = {name: self.folder / f'{name}.sock' for name in devices}
        self.command = [str(program), *options]
        for name, text in devices.items():
            self.command += ['--device', f'socket={self.sockets[name]},{text}']
        self.cpus, self.env, self.process, self.trace = cpus, env, None, None

    def __enter__(self):
        from tracing_test import Trace, is_traced  # which imports this module
        traced = is_traced()
        self.log = open(self.folder / 'log', 'w+', encoding='utf-8')
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **(self.env or {})},
                                        preexec_fn=child_setup(self.cpus))
        self.pid = self.process.pid
        end = time.monotonic() + 90  # on an emulated processor it takes long
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise RuntimeError(f'vmediad did not start:\n{self.output()}')
            time.sleep(0.02)
        if traced:
            self.trace = Trace('--profile=detail', '--buffer=32M', pid=self.pid)
            self.trace.__enter__()
        return self

    def is_ready(self):
        if not all(path.exists() for path in self.sockets.values()):
            return False
        try:
            return bool(self.reactors())
        except (OSError, KeyError, ValueError):
            return False

    def __exit__(self, kind, *_):
        status = self.stop() if self.process.poll() is None else self.process.returncode
        if kind is None:
            claim(status == 0, f'vmediad ends with status 0 (is {status})')
        if kind is not None or status != 0:
            print(f'vmediad said:\n{self.output()}', flush=True)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.trace is not None:
            self.trace.__exit__(kind)
            self.trace.judge()

    def output(self):
        self.log.flush()
        return (self.folder / 'log').read_text(encoding='utf-8', errors='replace')

    def stop(self, number=signal.SIGTERM):
        self.note_reached()
        self.process.send_signal(number)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return 'killed: it did not end within 20 s'

    def telemetry(self, command, parameter=None):
        return telemetry(self.pid, command, parameter)

    def device(self, name):
        return self.telemetry('/vmedia/device', name)

    def ioctls(self, name):
        """What became of a device's ioctls: {name: errnos, 0 for success}."""
        found = {}
        for key, value in (self.telemetry('/vmedia/ioctls', name) or {}).items():
            ioctl, _, what = key.rpartition('_')
            if what != 'failed':
                errors = [0] if what == 'ok' else map(int, value.split())
                found.setdefault(ioctl, set()).update(errors)
        return found

    def note_reached(self):
        """For test-v4l2-ioctls: "NAME ERRNO" of each answer, into the file that VMEDIA_REACHED names."""
        note = os.environ.get('VMEDIA_REACHED')
        if note is None:
            return
        with contextlib.suppress(OSError), open(note, 'a', encoding='ascii') as out:
            for device in self.sockets:
                for ioctl, errors in self.ioctls(device).items():
                    out.writelines(f'{ioctl} {error}\n' for error in errors)

    def reactors(self):
        return self.telemetry('/vmedia/reactors')

    def reactor_tid(self, name='reactor0'):
        return int(self.reactors()[name]['tid'])

    def reset_hists(self, name):
        self.telemetry('/vmedia/hist_reset', name)

    # /proc
    def fds(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def maps(self):
        return Path(f'/proc/{self.pid}/maps').read_text(encoding='utf-8').splitlines()

    def status(self):
        text = Path(f'/proc/{self.pid}/status').read_text(encoding='utf-8')
        return dict(line.split(':', 1) for line in text.splitlines())

    def kib(self, field):
        return int(self.status()[field].split()[0])

    def usage(self, name):
        """What must not grow."""
        # first, since telemetry has a thread and a socket for who asks
        seen = {'fds': self.fds(), 'mappings': len(self.maps()),
                'threads': int(self.status()['Threads']), 'RssAnon KiB': self.kib('RssAnon'),
                'VmRSS KiB': self.kib('VmRSS')}
        device = self.device(name)
        return {**seen, 'sessions': device['open_sessions'],
                'arena bytes': device['arena_allocated_bytes'],
                'arena ranges': device['arena_ranges']}

    def quiet_usage(self, name):
        """The same once nothing changes any more."""
        last, now = None, self.usage(name)
        while now != last:
            time.sleep(0.3)
            last, now = now, self.usage(name)
        return now

    def cpu_ns(self, tid):
        """(time on a CPU, time runnable but waiting for one) of a thread, ns."""
        text = Path(f'/proc/{self.pid}/task/{tid}/schedstat').read_text(encoding='utf-8')
        return tuple(int(n) for n in text.split()[:2])


def steal_ms():
    """What the hypervisor took from all CPUs since boot."""
    fields = Path('/proc/stat').read_text(encoding='utf-8').splitlines()[0].split()
    return int(fields[8]) * 1000 // os.sysconf('SC_CLK_TCK')


def hugepages(number):
    """Sees to it that so many 2 MiB pages are free, if it may; True when they are. The pool gets its
    size back at the end."""
    base = Path('/sys/kernel/mm/hugepages/hugepages-2048kB')
    if not base.exists():
        return False
    free, total = (int((base / n).read_text()) for n in ('free_hugepages', 'nr_hugepages'))
    if free < number:
        with contextlib.suppress(OSError):
            (base / 'nr_hugepages').write_text(str(total + number - free))
            atexit.register((base / 'nr_hugepages').write_text, str(total))
    return int((base / 'free_hugepages').read_text()) >= number


# ---- the driver beside it -----------------------------------------------------------------------

class Exercise:
    """vmedia-exercise on a socket; with handshake=True between expect('ready'), go() and so on."""

    def __init__(self, path, *arguments, handshake=False, cpus=None):
        options = ['--handshake'] if handshake else []
        self.command = [str(EXERCISE), '--json', *options, str(path), *map(str, arguments)]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        preexec_fn=child_setup(cpus or DRIVER_CPUS))

    def expect(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            _, err = self.process.communicate(timeout=20)
            raise RuntimeError(f'{self.command}: "{line}" instead of "{word}":\n{err}')

    def go(self):
        self.process.stdin.write('go\n')
        self.process.stdin.flush()

    def wait(self, seconds=60):
        """(exit status, figures, what it complained about)"""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return 'killed: it took too long', {}, ''
        lines = [line for line in out.splitlines() if line.startswith('{')]
        return self.process.returncode, json.loads(lines[-1]) if lines else {}, err.strip()

    def stop(self):
        self.process.kill()
        self.process.communicate()


MISSES = ('nb_missed_no_buffer', 'nb_missed_late_render', 'nb_missed_late_reactor')


def missed(device):
    """Periods without a frame, of a device's statistics: their sequence numbers are skipped."""
    return sum(device[key] for key in MISSES)


def lost(figures, nb_missed):
    """Frames of a stream that were made and not received once, in order and intact."""
    gaps = figures.get('nb_gaps', 0)
    return int(max(0, gaps - nb_missed) + figures.get('nb_out_of_order', 0) +
               figures.get('nb_damaged', 0))


def complaints(err):
    """What vmedia-exercise said, but for the numbers that a paced device skipped; see lost."""
    return [line for line in err.splitlines() if not line.endswith('numbers skipped')]


def exercise(path, *arguments, seconds=60, cpus=None):
    """Runs vmedia-exercise to its end, claims that all its claims hold, returns its figures."""
    status, figures, err = Exercise(path, *arguments, cpus=cpus).wait(seconds)
    text = ' '.join(map(str, arguments))
    claim(status == 0, f'{Path(path).stem}: {text}' + (f': status {status}, {err}' if err else ''))
    return figures


def exercise_paced(daemon, name, *arguments):
    """A stream of a device that has a pace, to its end: nothing is lost; where it skips a number the
    device has missed a period."""
    before = missed(daemon.device(name))
    _, figures, err = Exercise(daemon.sockets[name], *arguments).wait()
    nb_missed = missed(daemon.device(name)) - before
    claim(figures.get('nb_frames', 0) > 0 and not complaints(err) and lost(figures, nb_missed) == 0,
          f'{name} serves: {figures.get("nb_frames", 0):.0f} frames, {nb_missed} missed {err}')
