# SPDX-License-Identifier: BSD-3-Clause
"""The kernel of the virtual host, its modules and its first file system: from Debian's packages,
without installing any, kept for the next run."""
import contextlib
import fcntl
import lzma
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from later_debian import cache
from vmedia_test import skip

HERE = Path(__file__).resolve().parent
MAIN, SECOND = '', '6.12'  # Debian 12's own kernel, and another series that it has
BOOT_MODULES = ('virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_console')
XZ = b'\xfd7zXZ\0'
MEDIA = 'drivers/media'
# What of linux-source is built, and its Kbuild. Debian builds no driver of v4l2-mem2mem on amd64,
# hence not it either.
MEDIA_SOURCES = (f'{MEDIA}/v4l2-core/v4l2-mem2mem.c', f'{MEDIA}/test-drivers/vim2m.c',
                 f'{MEDIA}/test-drivers/vicodec', f'{MEDIA}/test-drivers/vimc')
MEDIA_KBUILD = 'obj-m := v4l2-mem2mem.o vim2m.o vicodec/ vimc/\n'
MEDIA_CONFIG = ('CONFIG_VIDEO_VIM2M=m', 'CONFIG_VIDEO_VICODEC=m', 'CONFIG_VIDEO_VIMC=m',
                'CONFIG_DEBUG_INFO_BTF_MODULES=')  # which takes pahole
# What can be recorded of the kernel. Not all of lttng-modules' probes fit each of Debian's kernels:
# of 2.13.9 that of timers does not fit 6.1.192.
LTTNG_PROBES = ('probe-sched', 'probe-irq', 'probe-signal', 'probe-statedump', 'kprobes',
                'kretprobes', 'uprobes')
# A change of what is made makes it anew: raise it.
RECIPE = '1'


def say(text):
    print(f'e2e: {text}', file=sys.stderr, flush=True)


def run(*command, **options):
    """Its standard output; what it said and an exception when it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False,
                          **options)
    if done.returncode != 0:
        text = (done.stdout + done.stderr).decode(errors='replace')
        raise RuntimeError(f'{command[0]} failed with {done.returncode}:\n{text[-4000:]}')
    return done.stdout


class Kernel:
    """What was made of Debian's kernel packages, in a folder; see prepare()."""

    def __init__(self, series):
        self.series = series
        self.root = root = cache(f'e2e-{series}' if series else 'e2e')
        self.tree = root / 'tree'  # the packages, extracted
        self.image = root / 'kernel'

    @property
    def release(self):
        return (self.root / 'release').read_text(encoding='utf-8').strip()

    @property
    def modules(self):
        return self.tree / 'lib/modules' / self.release

    @property
    def headers(self):
        return self.tree / 'usr/src' / f'linux-headers-{self.release}'

    @property
    def busybox(self):
        return self.tree / 'bin/busybox'

    def depmod(self):
        """With kmod's, where it is there: libkmod reads the index that only that one writes."""
        kmod = self.tree / 'bin/kmod'
        program = kmod if kmod.exists() else self.busybox
        run('depmod', '-b', self.tree, self.release, executable=program)

    # ---- packages -------------------------------------------------------------------------------

    def download(self, *packages):
        """The packages' files."""
        say(f'downloading {" ".join(packages)}')
        debs = self.root / 'debs'
        debs.mkdir(exist_ok=True)
        before = set(debs.iterdir())
        try:
            run('apt-get', '-q', 'download', *packages, cwd=debs)
        except (OSError, RuntimeError) as error:
            skip(f'Debian packages cannot be had: {str(error).strip().splitlines()[-1]}')
        return sorted(set(debs.iterdir()) - before)

    def extract(self, *packages):
        for deb in self.download(*packages):
            run('dpkg-deb', '-x', deb, self.tree)
            deb.unlink()

    # ---- parts ----------------------------------------------------------------------------------

    def make_base(self):
        """The kernel, its modules and headers, busybox."""
        image = depends(f'linux-image-{self.series}-amd64' if self.series else 'linux-image-amd64',
                        r'linux-image-\d.*')
        release = image.removeprefix('linux-image-')
        headers = f'linux-headers-{release}'
        self.extract(image, headers, depends(headers, r'linux-headers-.*-common'),
                     depends(headers, r'linux-kbuild-.*'), 'busybox-static')
        (self.root / 'release').write_text(release + '\n', encoding='utf-8')
        # the headers name where they would be installed
        for makefile in self.headers.glob('Makefile'):
            text = makefile.read_text(encoding='utf-8')
            makefile.write_text(text.replace('/usr/src/', f'{self.tree}/usr/src/'),
                                encoding='utf-8')
        uncompress(self.tree / f'boot/vmlinuz-{release}', self.image)
        self.depmod()

    def make_media(self):
        """The test drivers that Debian leaves out, and v4l2loopback."""
        series = '.'.join(self.release.split('.')[:2])
        deb, = self.download(f'linux-source-{series}')
        source = self.root / 'media'
        say('extracting the drivers from it')
        unpack_source(deb, f'linux-source-{series}', MEDIA_SOURCES, source)
        deb.unlink()
        (source / 'Kbuild').write_text(MEDIA_KBUILD, encoding='utf-8')
        self.build(source, *MEDIA_CONFIG)
        if self.series == MAIN:  # Debian 12's is older than the other
            self.extract('v4l2loopback-dkms')
            self.build(next((self.tree / 'usr/src').glob('v4l2loopback-*')))

    def make_lttng(self):
        """LTTng's kernel tracer, whose session daemon loads it through libkmod."""
        self.extract('lttng-modules-dkms', 'kmod')
        source = next((self.tree / 'usr/src').glob('lttng-modules-*'))
        probes = source / 'src/probes/Kbuild'
        head = [line for line in probes.read_text(encoding='utf-8').splitlines()
                if line.startswith(('TOP_LTTNG_MODULES_DIR', 'include ', 'ccflags-y'))]
        wanted = [f'obj-m += lttng-{name}.o' for name in LTTNG_PROBES]
        probes.write_text('\n'.join([*head, *wanted, '']), encoding='utf-8')
        self.build(source, 'CONFIG_LTTNG=m')

    def build(self, source, *variables):
        """The modules of a folder, into the kernel's folder of modules."""
        say(f'building the modules of {source.name}')
        run('make', '-C', self.headers, f'M={source}', f'-j{len(os.sched_getaffinity(0))}',
            *compiler(self.headers), *variables, 'modules')
        target = self.modules / 'updates'
        target.mkdir(exist_ok=True)
        for module in source.rglob('*.ko'):
            shutil.copy(module, target)
        self.depmod()

    def need(self, part):
        """Sees to it that a part is there: base, media, lttng."""
        stamp = self.root / f'made-{part}'
        with contextlib.suppress(OSError):
            if stamp.read_text(encoding='utf-8') == RECIPE:
                return
        at = time.monotonic()
        getattr(self, f'make_{part}')()
        stamp.write_text(RECIPE, encoding='utf-8')
        say(f'{part} is made ({time.monotonic() - at:.0f} s) and kept in {self.root}')


def depends(package, pattern):
    """The one package of this name that a package depends on."""
    try:
        text = run('apt-cache', 'depends', package).decode()
    except (OSError, RuntimeError) as error:
        skip(f'apt does not know {package}: {str(error).strip().splitlines()[-1]}')
    found = re.search(rf'Depends: ({pattern})$', text, re.M)
    if found is None:
        skip(f'{package} depends on no {pattern}')
    return found.group(1)


def compiler(headers):
    """The compiler that the kernel was built with, where there is one of this name; else gcc."""
    text = (headers / '.kernelvariables').read_text(encoding='utf-8')
    named = re.search(r'\bgcc-\d+$', text, re.M)
    return () if named and shutil.which(named.group(0)) else ('CC=gcc',)


def uncompress(image, target):
    """The ELF kernel in a bzImage: without a processor of its own, unpacking it takes QEMU seconds.
    One packed in another way than xz stays as it is."""
    packed = image.read_bytes()
    at = packed.find(XZ)
    target.write_bytes(lzma.LZMADecompressor().decompress(packed[at:]) if at > 0 else packed)


def unpack_source(deb, name, wanted, target):
    """Some files of the kernel's source, without the folders above them."""
    shutil.rmtree(target, ignore_errors=True)
    part = target.with_name('source')
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    members = ' '.join(f'{name}/{path}' for path in wanted)
    run('bash', '-o', 'pipefail', '-c',
        f'dpkg-deb --fsys-tarfile "$0" | tar xO ./usr/src/{name}.tar.xz | tar xJ {members}', deb,
        cwd=part)
    target.mkdir()
    for path in wanted:
        shutil.move(part / name / path, target)
    shutil.rmtree(part)


def closure(kernel, names):
    """Files of these modules and of those that they need, in the order in which they go in."""
    needs = {}
    for line in (kernel.modules / 'modules.dep').read_text(encoding='utf-8').splitlines():
        path, _, others = line.partition(':')
        needs[path] = others.split()
    by_name = {Path(path).name.split('.')[0].replace('-', '_'): path for path in needs}
    ordered = []
    for name in names:
        if name in by_name:  # else it is in the kernel itself
            ordered += [*reversed(needs[by_name[name]]), by_name[name]]
    return list(dict.fromkeys(ordered))


def make_initramfs(kernel, target):
    """busybox, the modules that reach the folders outside, guest/init."""
    top = target.with_name('initramfs.d')
    for name in ('bin', 'modules', 'proc', 'sys', 'dev', 'host', 'memory', 'root'):
        (top / name).mkdir(parents=True)
    shutil.copy(kernel.busybox, top / 'bin/busybox')
    order = []
    for path in closure(kernel, BOOT_MODULES):
        data = (kernel.modules / path).read_bytes()
        order.append(Path(path).name.removesuffix('.xz'))
        (top / 'modules' / order[-1]).write_bytes(lzma.decompress(data) if path.endswith('.xz')
                                                  else data)
    (top / 'modules/order').write_text('\n'.join(order) + '\n', encoding='utf-8')
    shutil.copy(HERE / 'guest/init', top / 'init')
    names = '\n'.join(str(path.relative_to(top)) for path in sorted(top.rglob('*')))
    target.write_bytes(run(kernel.busybox, 'cpio', '-o', '-H', 'newc', cwd=top,
                           input=names.encode()))


def prepare(series, *parts):
    """The kernel with these parts; what is not there yet is made, by one process at a time."""
    for program in ('apt-get', 'dpkg-deb', 'make'):
        if shutil.which(program) is None:
            skip(f'{program} is missing: the virtual host is made of Debian packages')
    kernel = Kernel(series)
    kernel.root.mkdir(parents=True, exist_ok=True)
    with open(kernel.root / 'lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if series != MAIN and 'lttng' in parts:
            skip(f"LTTng's kernel tracer of Debian 12 is too old for {series}")
        for part in ('base', *parts):
            kernel.need(part)
    return kernel
