#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a manual page of a manual in Markdown, to standard output; lowdown turns it into roff.

usage: manual.py LOWDOWN NAME SECTION MANUAL.md
"""
import re
import subprocess
import sys
from pathlib import Path

LINK = re.compile(r'\[([^\]]+)\]\((?!https?:)[^)]+\)')  # to a file beside the manual
TITLE = re.compile(r'^# .*\n\s*((?:    .*\n)+)\s*')
TABLES = '\'\\" t\n'  # man(1) then calls tbl


def summary(text):
    """The first sentence of the manual, for apropos(1)."""
    sentence = re.match(r'(.+?)[.?:](?:\s|$)', text, re.S)[1]
    return ' '.join(LINK.sub(r'\1', sentence).replace('**', '').split())


def page(name, text):
    """The same with the chapters that a manual page begins with."""
    head = TITLE.match(text)
    rest = text[head.end():]
    chapters = re.sub(r'^#(#+ )', r'\1', rest, flags=re.M)
    return LINK.sub(r'\1', f'# NAME\n\n{name} - {summary(rest)}\n\n# SYNOPSIS\n\n{head[1]}\n'
                           f'# DESCRIPTION\n\n{chapters}')


def main():
    if len(sys.argv) != 5:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    lowdown, name, section, manual = sys.argv[1:]
    command = [lowdown, '-s', '-tman', '-M', f'title={name}', '-M', f'section={section}']
    made = subprocess.run(command, text=True, check=True, capture_output=True,
                          input=page(name, Path(manual).read_text(encoding='utf-8'))).stdout
    sys.stdout.write(TABLES + made)
    return 0


if __name__ == '__main__':
    sys.exit(main())
