#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The rules of docs/architecture.md that a machine can check; each prints what breaks it.

usage: check.py [RULE...]     without a rule: all; exit status 1 when one is broken
"""
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import proof

ROOT = Path(__file__).resolve().parents[2]

# Floors of lib: a file includes only from a lower floor or its own room.
FLOORS = {'base': 0, 'include': 0, 'stats': 1, 'trace': 1, 'protocol': 2, 'virtq': 2, 'shm': 2,
          'media': 2, 'transport': 3, 'reactor': 3, 'device': 4, 'driver': 4, 'backend': 5,
          'control': 6}
PUBLIC = re.compile(r'^(linux/virtio_media\.h|vmedia/)')
DRIVER_MAY = re.compile(r'^(linux/virtio_media\.h|protocol/ioctl_table\.h|base/|driver/)')
ONLY_IN = [  # (what is included, where it may be)
    (re.compile(r'^rte_vhost'), 'lib/transport/'),
    (re.compile(r'^lttng/'), ('lib/trace/', 'trace/')),
    (re.compile(r'^rte_'), ('lib/transport/', 'lib/control/')),
]
NEEDS_NO_EAL = ('base', 'stats', 'protocol', 'virtq', 'shm', 'media', 'reactor', 'device', 'driver',
                'backend')
FUNCTION_HARD, FUNCTION_HOT, FILE_HARD, PARAMETERS_HARD = 80, 60, 700, 6
FORBIDDEN = re.compile(r'\b(TODO|FIXME|XXX)\b|\breturn -1;|\balloca\(|\b(strcpy|strcat|sprintf|gets)\(')


def files(*suffixes):
    listed = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split('\n')
    return [f for f in listed if f.endswith(suffixes) and (ROOT / f).is_file()]


def text(name):
    return (ROOT / name).read_text(encoding='utf-8')


def includes(name):
    for number, line in enumerate(text(name).split('\n'), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found.group(2)


def room_of(path):
    parts = path.split('/')
    return parts[1] if parts[0] == 'lib' and len(parts) > 2 else None


def layers():
    for name in files('.c', '.h'):
        room = room_of(name)
        for number, included in includes(name):
            if included.endswith('.c'):
                yield f'{name}:{number}: includes a .c file'
            for pattern, where in ONLY_IN:
                if pattern.match(included) and name.startswith('lib/') and not name.startswith(where):
                    yield f'{name}:{number}: {included} belongs to {where}'
            target = included.split('/')[0]
            if room is None or (target not in FLOORS and not PUBLIC.match(included)):
                continue
            if room == 'driver' and not DRIVER_MAY.match(included):
                yield f'{name}:{number}: driver may not see {included}'
            elif target != room and not PUBLIC.match(included) and room != 'driver' \
                    and FLOORS[target] >= FLOORS[room]:
                yield f'{name}:{number}: {room} (floor {FLOORS[room]}) includes {included}'


def compat():
    for name in files('.c', '.h'):
        if 'RTE_VERSION' in text(name) and name != 'lib/transport/compat.h':
            yield f'{name}: tests RTE_VERSION; only lib/transport/compat.h does'
        if '/dev/video' in text(name) and name.startswith('lib/') \
                and not name.startswith('lib/backend/v4l2/') and not is_comment_only(name):
            yield f'{name}: names /dev/video*; only lib/backend/v4l2 does'


def is_comment_only(name):
    return '/dev/video' not in strip_comments(text(name))


def strip_comments(source):
    return re.sub(r'/\*.*?\*/|//[^\n]*', lambda m: '\n' * m.group(0).count('\n'), source, flags=re.S)


def functions(name):
    """(name, first line, length, parameters): the return type stands on a line of its own."""
    lines = strip_comments(text(name)).split('\n')
    i = 0
    while i < len(lines):
        head = re.match(r'^(?:\w+_fn )?(\w+)\(', lines[i])
        if not head or lines[i].rstrip().endswith(';'):
            i += 1
            continue
        j = i
        while j < len(lines) and lines[j] != '{' and not lines[j].endswith(';'):
            j += 1
        if j == len(lines) or lines[j] != '{':
            i += 1
            continue
        end = j
        while end < len(lines) and lines[end] != '}':
            end += 1
        signature = ' '.join(lines[i:j])
        inner = signature[signature.index('(') + 1:signature.rindex(')')]
        depth, commas = 0, 0
        for char in inner:
            depth += (char == '(') - (char == ')')
            commas += char == ',' and depth == 0
        parameters = 0 if inner.strip() in ('', 'void') else commas + 1
        yield head.group(1), i + 1, end - i + 1, parameters
        i = end + 1


def is_hot(name):
    return any(re.search(r'\bHOT\b', line) for line in text(name).split('\n')[:6])


def budgets():
    lengths, file_lengths = [], []
    for name in files('.c', '.h'):
        nb = text(name).count('\n')
        file_lengths.append(nb)
        if nb > FILE_HARD:
            yield f'{name}: {nb} lines, at most {FILE_HARD}'
        limit = FUNCTION_HOT if is_hot(name) else FUNCTION_HARD
        for function, line, length, parameters in functions(name):
            if name.startswith('lib/'):
                lengths.append(length)
            if length > limit:
                yield f'{name}:{line}: {function} has {length} lines, at most {limit}'
            if parameters > PARAMETERS_HARD:
                yield f'{name}:{line}: {function} has {parameters} parameters'
    lengths.sort()
    median, p90 = statistics.median(lengths), lengths[len(lengths) * 9 // 10]
    print(f'  {len(lengths)} functions in lib: median {median:.0f} lines, p90 {p90}; '
          f'files: median {statistics.median(file_lengths):.0f} lines')
    if median > 18 or p90 > 50:
        yield f'lib: median {median} (at most 18), p90 {p90} (at most 50) lines per function'
    for name, most in (('lib/include/vmedia/backend.h', 300), ('lib/backend/null/null.c', 250)):
        if (ROOT / name).exists() and text(name).count('\n') > most:
            yield f'{name}: {text(name).count(chr(10))} lines, at most {most}'


def hot():
    listed = text('docs/hot-path.md')
    for name in files('.c'):
        if name.startswith('lib/') and is_hot(name):
            if f'`{name.split("/", 2)[2]}`' not in listed:
                yield f'{name}: says HOT, but docs/hot-path.md does not list it'


def licence():
    for name in files('.c', '.h', '.py', '.sh', '.ci/run') + scripts():
        if 'SPDX-License-Identifier: BSD-3-Clause' not in '\n'.join(text(name).split('\n')[:3]):
            yield f'{name}: no SPDX line'


def scripts():
    found = []
    for name in files(''):
        if '.' not in name.split('/')[-1] and (name.startswith(('app/', 'tests/', 'bench/'))):
            try:
                if text(name).startswith('#!'):
                    found.append(name)
            except UnicodeDecodeError:
                pass
    return found


def words():
    for name in files('.c', '.h', '.py', '.sh'):
        if name.startswith('tests/style/'):
            continue
        for number, line in enumerate(text(name).split('\n'), 1):
            if FORBIDDEN.search(line):
                yield f'{name}:{number}: {line.strip()[:80]}'
            if len(line.expandtabs(8)) > 100 and not line.lstrip().startswith(('{"', '"')):
                yield f'{name}:{number}: longer than 100 columns'
            if line != line.rstrip():
                yield f'{name}:{number}: white space at the end'
        if not is_hot(name) and name.endswith('.c') and name.startswith('lib/') \
                and re.search(r'\b(un)?likely\(', strip_comments(text(name))):
            yield f'{name}: likely/unlikely outside a HOT file'


def formatting():
    tool = shutil.which('clang-format-14') or shutil.which('clang-format')
    version = subprocess.run([tool or 'true', '--version'], capture_output=True, text=True, check=False)
    if ' 14.' not in version.stdout:
        print('  skipped: clang-format 14 is the reference, here is', version.stdout.strip() or 'none')
        return
    result = subprocess.run([tool, '--dry-run', '-Werror', *files('.c', '.h')], cwd=ROOT,
                            capture_output=True, text=True, check=False)
    for name in sorted(set(re.findall(r'^([^:\s]+):\d+:\d+: error', result.stderr, re.M))):
        yield f'{name}: clang-format would change it'
    if result.returncode != 0 and 'error' not in result.stderr:
        yield f'clang-format: {result.stderr.strip()}'


def events():
    """The table of docs/tracing.md is made from the list of events."""
    made = subprocess.run(['trace/provider/generate.py', 'table', 'trace/provider/events.toml',
                           'lib/protocol/ioctl_table.h', 'docs/tracing.md', '--check'], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    if made.returncode != 0:
        yield (made.stdout + made.stderr).strip()


def proof_stands():
    yield from proof.broken(ROOT)


RULES = [layers, compat, budgets, hot, licence, words, formatting, events, proof_stands]


def main():
    chosen = [r for r in RULES if not sys.argv[1:] or r.__name__ in sys.argv[1:]]
    nb_broken = 0
    for rule in chosen:
        broken = list(rule())
        nb_broken += len(broken)
        print(f'{rule.__name__:10} {"ok" if not broken else f"{len(broken)} broken"}')
        for line in broken:
            print('  ' + line)
    return 1 if nb_broken else 0


if __name__ == '__main__':
    sys.exit(main())
