# SPDX-License-Identifier: BSD-3-Clause
"""Inside the virtual host: its drivers' nodes, by what they are for, and what v4l2-compliance says of
one."""
import re
import subprocess
from pathlib import Path

import later_debian

SYSFS = Path('/sys/class/video4linux')
MODULES_LOADED = Path('/proc/modules')
TOTAL = re.compile(r'^Total for .*: (\d+), Succeeded: (\d+), Failed: (\d+), Warnings: (\d+)$', re.M)
LINE = re.compile(r'(?:fail|warn): .*|test .*: (?:FAIL$|OK\b)')
# vivid numbers frames by the clock: when it is late it skips some, at times it gives one twice.
# v4l2-compliance warns and fails then, but where it reads the name vivid it only informs (with -v).
SKIPPED = re.compile(r'(?:warn|info): .*got sequence number \d+, expected \d+')
REPEATED = re.compile(r'(?:fail|info): .*\(int\)g_sequence\(\) < seq\.last_seq \+ 1')
# v4l2-compliance leaves vivid's error injection out, which would fail it on purpose, when it is
# asked by the driver's name alone; this leaves it out of the driver
MODULES = {'vivid': ('no_error_inj=1',), 'vim2m': (), 'vicodec': (), 'vimc': (), 'v4l2loopback': ()}


def load(module, *options):
    subprocess.run(['modprobe', module, *MODULES[module], *options], check=True)


def is_loaded(module):
    lines = MODULES_LOADED.read_text(encoding='utf-8').splitlines()
    return any(line.split()[0] == module for line in lines)


def unload(module):
    """Also where others use what it needed: modprobe calls that a failure."""
    said = subprocess.run(['modprobe', '-r', module], check=False, capture_output=True, text=True)
    if is_loaded(module):
        raise RuntimeError(f'{module} stays: {said.stderr.strip()}')


def nodes():
    """{what it is for: its path}, such as {'vivid-000-vid-cap': '/dev/video0'}."""
    found = {}
    for entry in sorted(SYSFS.glob('*'), key=lambda path: (len(path.name), path.name)):
        found.setdefault((entry / 'name').read_text(encoding='utf-8').strip(), f'/dev/{entry.name}')
    return found


def later_tools():
    """Where v4l-utils of a later Debian are, fetched or not."""
    return later_debian.cache('v4l-utils')


def later_tool(root=None):
    """The command of their v4l2-compliance. That of Debian 12 takes it that a codec has a media controller
    and fails each that has none; this one asks for it only where there is one."""
    root = root or later_tools()
    return [*later_debian.loader(root), str(root / 'usr/bin/v4l2-compliance')]


def version(tool):
    """'1.22.1', or None when it does not run."""
    found = later_debian.version(tool, r'^\S+ ([^,\s]+)')
    return found[1] if found else None


def fetch_later_tool():
    """Sees to it that it is there: about 8 s and 21 MB. Why it is not, or None."""
    if version(later_tool()) is not None:
        return None
    return later_debian.fetch(later_tools(), 'v4l-utils',
                              lambda part: version(later_tool(part)) is not None)


def compliance(command, seconds=600):
    """(tests, succeeded, failed, warnings), or None when it came to no end; and its output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False,
                              errors='replace')
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b'').decode(errors='replace')
    total = TOTAL.search(done.stdout)
    return total and tuple(map(int, total.groups())), done.stdout + done.stderr


def lines_of(output):
    return [' '.join(line.split()) for line in output.replace('\r', '\n').split('\n')]


def numbering(output):
    """Which of SKIPPED and REPEATED it says of the node, if only to inform."""
    return {kind for kind in (SKIPPED, REPEATED) if any(map(kind.search, lines_of(output)))}


def complaints(output, spared=()):
    """The lines in which it says what failed and what it warns of, but for the spared kinds: a test that
    failed for one of these (the first thing it says) counts as one that held."""
    said, test = [], []
    for line in filter(None, map(LINE.search, lines_of(output))):
        test.append(line[0])
        if not line[0].startswith('test '):
            continue
        failures = [word for word in test if word.startswith('fail:')]
        if failures and any(kind.search(failures[0]) for kind in spared):
            test = [word for word in test if word.startswith('warn:')]
        said += [word for word in test if not any(kind.search(word) for kind in spared) and
                 (word.endswith('FAIL') or not word.startswith('test '))]
        test = []
    return said + test
