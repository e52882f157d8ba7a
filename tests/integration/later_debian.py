# SPDX-License-Identifier: BSD-3-Clause
"""Programs of a later Debian than this machine's: their packages extracted into a folder, and run with
their own loader and libraries, so that neither a chroot nor root is needed."""
import os
import re
import shutil
import subprocess
from pathlib import Path

RELEASE, BACKPORTS = 'trixie', 'trixie-backports'
FETCH_SECONDS = 300


def cache(name):
    """Where such a folder is kept."""
    folder = os.environ.get('VMEDIA_CHROOTS')
    if folder:
        return Path(folder) / name
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'vmedia' / name


def loader(root):
    """The words in front of a program's path in the folder."""
    lib = root / 'usr/lib/x86_64-linux-gnu'
    return [str(lib / 'ld-linux-x86-64.so.2'), '--library-path', str(lib)]


def version(command, pattern):
    """What `pattern` finds in what the program says to --version, or None when it does not run."""
    try:
        text = subprocess.run([*command, '--version'], capture_output=True, text=True, timeout=60,
                              check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return re.search(pattern, text)


def mirror():
    """Where this machine has its packages from, or None."""
    try:
        sites = subprocess.run(['apt-get', 'indextargets', '--format', '$(SITE)', 'Origin: Debian'],
                               capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return next((site for site in sites if 'security' not in site), None)


def fetch(root, package, works, releases=(RELEASE,)):
    """Extracts a package and what it needs into `root`, of the last of the releases; works(folder) says
    whether it is of use. Why not, or None."""
    if shutil.which('mmdebstrap') is None:
        return 'there is no mmdebstrap to fetch one with'
    site = mirror()
    if site is None:
        return 'apt names no Debian mirror to fetch one from'
    part = root.with_name(f'{root.name}.{os.getpid()}')
    part.parent.mkdir(parents=True, exist_ok=True)
    command = ['mmdebstrap', '--variant=extract', f'--include={package}',
               '--aptopt=APT::Install-Recommends "false"',
               f'--aptopt=APT::Default-Release "{releases[-1]}"', releases[0], str(part),
               *(f'deb {site} {release} main' for release in releases)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS,
                              check=False)
        if done.returncode == 0 and works(part):
            shutil.rmtree(root, ignore_errors=True)
            part.rename(root)
            return None
        said = done.stderr.strip().splitlines()
        return f'Debian {releases[-1]} cannot be fetched: {said[-1] if said else done.returncode}'
    except subprocess.TimeoutExpired:
        return f'Debian {releases[-1]} was not fetched within {FETCH_SECONDS} s'
    finally:
        shutil.rmtree(part, ignore_errors=True)
