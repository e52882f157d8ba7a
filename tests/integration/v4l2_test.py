# SPDX-License-Identifier: BSD-3-Clause
"""What tests of V4L2 programs share: programs under vmedia-v4l2, and what v4l2-ctl says of a stream."""
import re
import shutil
import subprocess

from vmedia_test import BUILD, DRIVER_CPUS, child_setup, skip

WRAPPER = BUILD / 'app/v4l2-shim/vmedia-v4l2'
FRAME = re.compile(rb'(cap|out) dqbuf: +(\d+) seq: +(\d+) .*?ts: (\d+)\.(\d+)')


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            skip(f'{program} is missing: app/packages test')


def under_shim(vmediad, devices, *program):
    """The command line of a program that sees these devices as /dev/video0, ..."""
    return [WRAPPER, *(f'--device={vmediad.sockets[name]}' for name in devices), '--',
            *map(str, program)]


def start(vmediad, devices, *program, **options):
    return subprocess.Popen(under_shim(vmediad, devices, *program),
                            preexec_fn=child_setup(DRIVER_CPUS), **options)


def stream_command(nb_frames, nb_buffers=16):
    return ['v4l2-ctl', f'--stream-mmap={nb_buffers}', f'--stream-count={nb_frames}', '--verbose']


def frames_of(text):
    """(index, sequence, time in s) of every buffer that `v4l2-ctl --verbose` says it got."""
    return [(int(m[2]), int(m[3]), int(m[4]) + int(m[5]) / 1e6) for m in FRAME.finditer(text)]
