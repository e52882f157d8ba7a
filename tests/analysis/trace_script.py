# SPDX-License-Identifier: BSD-3-Clause
"""Traces made up in Python, played to the Babeltrace plugin by tests/analysis/source.c."""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'integration'))
from vmedia_test import BUILD, skip  # noqa: E402

PLUGINS = f'{BUILD}/trace/analysis:{BUILD}/tests/analysis'
QBUF, CAPTURE = 15, 1


def need_plugin():
    if not shutil.which('babeltrace2'):
        skip('there is no babeltrace2: install the package babeltrace2')
    if not (BUILD / 'tests/analysis/babeltrace-plugin-vmediatest.so').exists():
        skip('it was built without the Babeltrace plugin: install libbabeltrace2-dev')


def babeltrace(*arguments, seconds=120):
    return subprocess.run(['babeltrace2', f'--plugin-path={PLUGINS}', *map(str, arguments)],
                          check=False, capture_output=True, text=True, timeout=seconds)


def text(events):
    """(time, name, fields) of each, sorted by time as a tracer would have written them."""
    lines = []
    for time, name, fields in sorted(events, key=lambda e: e[0]):
        if isinstance(fields, dict):
            fields = ' '.join(f'{k}={v}' for k, v in fields.items())
        lines.append(f'{time} {name} {fields}\n')
    return ''.join(lines)


def play(events, component, params='', repeat=1, behind=None):
    """The result of a component (and one behind it) after a source that plays these events."""
    with tempfile.NamedTemporaryFile('w', suffix='.script') as script:
        script.write(events if isinstance(events, str) else text(events))
        script.flush()
        return babeltrace('-c', 'source.vmediatest.script', '-p',
                          f'path="{script.name}",repeat={repeat}',
                          '-c', component, *(['-p', params] if params else []),
                          *(['-c', behind] if behind else []))


def record(events, folder, repeat=1):
    """The same as a CTF trace in the folder."""
    with tempfile.NamedTemporaryFile('w', suffix='.script') as script:
        script.write(events if isinstance(events, str) else text(events))
        script.flush()
        result = babeltrace('-c', 'source.vmediatest.script', '-p',
                            f'path="{script.name}",repeat={repeat}',
                            '-c', 'sink.ctf.fs', '-p', f'path="{folder}"', seconds=600)
    if result.returncode != 0:
        raise RuntimeError(result.stderr)
    return folder


def command(time, seq, code=QBUF, session=1, device=0, status=0, detail=False,
            stages=(100, 200, 500, 900)):
    """A command taken at `time`, as one span or (detail) as the events of its stages."""
    base = {'device': device, 'seq': seq}
    parse, begin, end, publish = stages
    if not detail:
        return [(time + publish, 'cmd_span',
                 {**base, 'session': session, 'code': code, 'status': status, 'parse_ns': parse,
                  'begin_ns': begin, 'end_ns': end, 'publish_ns': publish})]
    return [(time, 'cmd_dequeue', base),
            (time + parse, 'cmd_parse', {**base, 'session': session, 'code': code}),
            (time + begin, 'backend_begin', base),
            (time + end, 'backend_end', {**base, 'status': status}),
            (time + publish, 'cmd_publish', {**base, 'status': status})]


def buffer_event(time, name, index, session=1, device=0, **more):
    return (time, name, {'device': device, 'session': session, 'buftype': CAPTURE, 'index': index,
                         **more})


def frame(time, index, sequence, seq, session=1, device=0, detail=False, nb_queued=2,
          period=1_000_000):
    """QBUF at `time`, the frame one period later, its DQBUF event 2 us after that."""
    at = {'session': session, 'device': device}
    done = time + period
    return [*command(time, seq, detail=detail, **at),
            buffer_event(time + 300, 'buf_queued', index, nb_queued=nb_queued, **at),
            buffer_event(done, 'frame_done', index, sequence=sequence, **at),
            buffer_event(done + 2000, 'dqbuf_publish', index, sequence=sequence, held_ns=period,
                         latency_ns=2000, nb_queued=nb_queued, backlog=0, **at)]


def session(time, name, session=1, device=0):
    return (time, name, {'device': device, 'session': session})


def sound(nb_frames=300, detail=False, start=1000, period=1_000_000):
    """A session without fault: nb_frames frames in four buffers."""
    events = [session(start, 'session_open')]
    for i in range(nb_frames):
        events += frame(start + 1000 + i * period, i % 4, i, i, detail=detail, period=period)
    end = start + (nb_frames + 2) * period
    return [*events, buffer_event(end, 'stream_off', 0, nb_cancelled=0),
            session(end + 1, 'session_close')]
