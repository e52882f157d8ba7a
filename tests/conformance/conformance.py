#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/conformance.md: which test proves which requirement, from the `proves:` lines of the tests.

usage: conformance.py write     makes the page
       conformance.py check     what is out of date, missing or unknown; exit status 1 if anything
"""
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs/conformance.md'
ID = re.compile(r'[RS]-\d+|B\d+')
MARKER = re.compile(r'proves: ((?:(?:[RS]-|B)\d+ ?)+)(\*/)?$')
TEST = re.compile(r'^(Test|BOTH)\((\w+)(?:, (\w+))?')
DASH = {'R': '-', 'S': '-', 'B': ''}
PARTS = {'R': 'The protocol', 'S': 'Hostile guests and front-ends', 'B': 'Mistakes of others'}
HEAD = """# Conformance

What a virtio-media device owes its guest, and the tests that fail when it does not. Made by
`tests/conformance/conformance.py write` from the `proves:` lines above the tests and from
`tests/conformance/requirements.toml`; the style tests refuse a page that is out of date, a
requirement without a test or a reason, and a line that names an unknown one. `tests/mutants`
breaks the library on purpose, and has each defect found by the test that stands here for it.

`suite: test` is a unit test (`meson test`, or the program with `--filter suite/test`); `both: test`
stands for `split_` and `packed_`. A path is a program by itself.
"""


def requirements():
    with open(Path(__file__).parent / 'requirements.toml', 'rb') as f:
        data = tomllib.load(f)
    known = {part + DASH[part] + number: text for part in PARTS
             for number, text in data[part].items()}
    return known, data['without_test'], data['notes']


def sources():
    listed = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', 'tests'], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.split('\n')
    skipped = ('tests/conformance/', 'tests/mutants/', 'tests/fuzz/corpus')
    return [f for f in listed
            if f and not f.startswith(skipped) and (ROOT / f).is_file()]


def test_below(lines, name):
    """The test that the marker stands over: (suite, name), or the program in which it stands."""
    if not name.endswith('.c'):
        return ('', name)
    for line in lines:
        found = TEST.match(line)
        if found:
            suite = found.group(2) if found.group(1) == 'Test' else 'both'
            return (suite, found.group(3) or found.group(2))
    return ('', name)


def markers():
    """(ids, file, (suite, test)) of each marker."""
    for name in sources():
        try:
            lines = (ROOT / name).read_text(encoding='utf-8').split('\n')
        except UnicodeDecodeError:
            continue
        for i, line in enumerate(lines):
            found = MARKER.search(line)
            if found:
                yield ID.findall(found.group(1)), name, test_below(lines[i + 1:i + 4], name)


def proofs():
    by_id = {}
    for ids, name, test in markers():
        for one in ids:
            by_id.setdefault(one, []).append((name, test))
    return by_id


def link(name, test):
    text = f'`{test[0]}: {test[1]}`' if test[0] else f'`{name}`'
    return f'[{text}](../{name})'


def page(known, without, notes, by_id):
    out = [HEAD.rstrip()]
    for part, title in PARTS.items():
        out += [f'\n## {title}\n', '| | | proved by |', '|---|---|---|']
        for one, text in known.items():
            if one.startswith(part):
                cells = [link(*proof) for proof in by_id.get(one, [])]
                cells += [f'*{reason}*' for reason in (without.get(one), notes.get(one)) if reason]
                out.append(f'| {one} | {text} | {"<br>".join(cells)} |')
    return '\n'.join(out) + '\n'


def mutants():
    """(file, what it breaks, its test) of each mutant."""
    for path in sorted((ROOT / 'tests/mutants').glob('*.toml')):
        with open(path, 'rb') as f:
            for mutant in tomllib.load(f)['mutant']:
                for one in mutant['proves']:
                    yield path.name, one, mutant['test']


def names_test(proof, test):
    suite, name = proof[1]
    both = (f'virtq/split_{name}', f'virtq/packed_{name}')
    return test in (both if suite == 'both' else (f'{suite}/{name}',))


def wrong():
    known, without, notes = requirements()
    by_id = proofs()
    for one in by_id:
        if one not in known:
            yield f'{by_id[one][0][0]}: proves {one}, which requirements.toml does not know'
    for one in known:
        if one not in by_id and one not in without:
            yield f'{one} ({known[one]}) has neither a test nor a reason'
        if one in by_id and one in without:
            yield f'{one} has a test, and a reason why it has none'
    for name, one, test in mutants():
        if not any(names_test(proof, test) for proof in by_id.get(one, [])):
            yield f'tests/mutants/{name}: {test} is to find what breaks {one}, and does not say so'
    for one in list(without) + list(notes):
        if one not in known:
            yield f'requirements.toml: {one} is unknown'
    if not PAGE.exists() or PAGE.read_text(encoding='utf-8') != page(known, without, notes, by_id):
        yield 'docs/conformance.md is out of date: tests/conformance/conformance.py write'


def main():
    if sys.argv[1:] == ['write']:
        known, without, notes = requirements()
        PAGE.write_text(page(known, without, notes, proofs()), encoding='utf-8')
    elif sys.argv[1:] == ['check']:
        found = list(wrong())
        print('\n'.join(found))
        sys.exit(bool(found))
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main()
