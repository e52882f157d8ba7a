# SPDX-License-Identifier: BSD-3-Clause
"""Tests that documents and mutants name exist, each mutant still finds its place in lib, and its test
is one of those that docs/conformance.md names for its requirement."""
import re
import tomllib

TEST = re.compile(r'^(?:Test|ParameterizedTest)\(\s*(?:struct \w+ \*\w+,\s*)?(\w+),\s*(\w+)', re.M)
BOTH = re.compile(r'^BOTH\((\w+)\)', re.M)  # a test for split and one for packed rings
NAMED = re.compile(r'`(\w+/\w+)`')
ROW = re.compile(r'^\| ([RSB]-?\d+) \|(.*)', re.M)  # of docs/conformance.md
PROOF = re.compile(r'`(\w+): (\w+)`')
PATH = re.compile(r'`((?:lib|tests|app)/[\w./-]+)`')


def tests(root):
    """suite/name of all Criterion tests."""
    found = set()
    for path in (root / 'tests').rglob('test_*.c'):
        source = path.read_text(encoding='utf-8')
        found |= {f'{suite}/{name}' for suite, name in TEST.findall(source)}
        found |= {f'virtq/{ring}_{name}' for name in BOTH.findall(source)
                  for ring in ('split', 'packed')}
    return found


def mutants(root):
    for path in sorted((root / 'tests/mutants').glob('*.toml')):
        for mutant in tomllib.loads(path.read_text(encoding='utf-8'))['mutant']:
            yield path.relative_to(root), mutant


def proofs(root):
    """What docs/conformance.md names, by requirement."""
    page = (root / 'docs/conformance.md').read_text(encoding='utf-8')
    named = {}
    for requirement, row in ROW.findall(page):
        named[requirement] = {f'{suite}/{name}' for suite, name in PROOF.findall(row)}
        named[requirement] |= {f'virtq/{ring}_{name}' for suite, name in PROOF.findall(row)
                               if suite == 'both' for ring in ('split', 'packed')}
    return named


def broken(root):
    known, named = tests(root), proofs(root)
    for path, mutant in mutants(root):
        source = root / mutant['file']
        places = source.read_text(encoding='utf-8').count(mutant['old']) if source.is_file() else 0
        if places != 1:
            yield f'{path}: {mutant["name"]} fits {places} places of {mutant["file"]}'
        if mutant['test'] not in known:
            yield f'{path}: {mutant["name"]} names a test that is not there: {mutant["test"]}'
        for requirement in mutant['proves']:
            if mutant['test'] not in named.get(requirement, ()):
                yield (f'{path}: {mutant["name"]}: {mutant["test"]} does not prove {requirement} '
                       f'in docs/conformance.md')
    page = root / 'docs/security.md'
    text = page.read_text(encoding='utf-8')
    for name in PATH.findall(text):
        if not (root / name).exists():
            yield f'docs/security.md names {name}, which is not there'
    for name in NAMED.findall(text):
        if name not in known and not (root / name).exists():
            yield f'docs/security.md names {name}, which is no test'
