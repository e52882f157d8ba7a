#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes what is needed from the list of events.

usage: generate.py structs|provider EVENTS.toml IOCTL_TABLE.h OUTPUT
       generate.py table EVENTS.toml IOCTL_TABLE.h DOCUMENT [--check]
           rewrites what stands between the marks in DOCUMENT, or says whether it is up to date
"""
import re
import sys
import tomllib
from collections import namedtuple
from pathlib import Path

Field = namedtuple('Field', 'name type text')
Event = namedtuple('Event', 'name level thread when fields')
Enum = namedtuple('Enum', 'name type values own')  # own: those that are no ioctl

C_TYPES = {'u8': 'uint8_t', 'u16': 'uint16_t', 'u32': 'uint32_t', 'u64': 'uint64_t',
           'i32': 'int32_t', 'x32': 'uint32_t', 'x64': 'uint64_t', 'str': 'const char *'}
LEVELS = ('ERR', 'WARNING', 'NOTICE', 'INFO', 'DEBUG_SYSTEM', 'DEBUG')
MARKS = ('<!-- events: made by trace/provider/generate.py -->', '<!-- events end -->')
HEAD = '/* SPDX-License-Identifier: BSD-3-Clause */\n/* Made by generate.py of events.toml. */\n'


class Events:
    """The list, read and checked."""

    def __init__(self, path, ioctl_table):
        data = tomllib.loads(Path(path).read_text(encoding='utf-8'))
        self.enums = {name: self.enum(name, text, ioctl_table)
                      for name, text in data['enums'].items()}
        self.events = [self.event(name, text) for name, text in data['events'].items()]

    @staticmethod
    def enum(name, text, ioctl_table):
        own = dict(text['values'])
        values = {}
        if text.get('ioctls'):
            table = Path(ioctl_table).read_text(encoding='utf-8')
            values = {n: int(nr) for n, nr in re.findall(r'X\((\w+), (\d+),', table)}
        return Enum(name, text['type'], {**values, **own}, own)

    def event(self, name, text):
        fields = [self.field(name, f) for f in text['fields']]
        if text['level'] not in LEVELS:
            raise ValueError(f'{name}: level {text["level"]} is none of {LEVELS}')
        return Event(name, text['level'], text['thread'], text['when'], fields)

    def field(self, event, line):
        found = re.fullmatch(r'(\w+): (\w+), (.+)', line)
        if not found or (found[2] not in C_TYPES and found[2] not in self.enums):
            raise ValueError(f'{event}: "{line}" is not "name: type, meaning"')
        return Field(*found.groups())

    def c_type(self, field):
        if field.type in self.enums:
            return C_TYPES[self.enums[field.type].type]
        return C_TYPES[field.type]


def structs(events):
    """Plain C: one struct per event, filled by the hooks; one enum per enum."""
    yield f'{HEAD}#ifndef VMEDIA_TRACE_EVENTS_H\n#define VMEDIA_TRACE_EVENTS_H\n\n'
    yield '#include <stdint.h>\n\n'
    for enum in events.enums.values():
        yield f'enum trace_{enum.name} {{\n'
        for name, value in enum.own.items():
            yield f'\tTRACE_{enum.name.upper()}_{name.upper()} = {value},\n'
        yield '};\n\n'
    for event in events.events:
        yield f'/* {event.level}: {event.when} */\nstruct trace_{event.name} {{\n'
        for field in event.fields:
            space = '' if events.c_type(field).endswith('*') else ' '
            yield f'\t{events.c_type(field)}{space}{field.name}; /* {field.text} */\n'
        yield '};\n\n'
    yield '#endif\n'


def tracepoint_field(events, field):
    value = f'e->{field.name}'
    if field.type == 'str':
        return f'lttng_ust_field_string({field.name}, {value})'
    kind = events.c_type(field)
    if field.type in events.enums:
        return f'lttng_ust_field_enum(vmedia, {field.type}, {kind}, {field.name}, {value})'
    hexadecimal = '_hex' if field.type.startswith('x') else ''
    return f'lttng_ust_field_integer{hexadecimal}({kind}, {field.name}, {value})'


def provider(events):
    """The header that LTTng-UST includes several times over."""
    yield HEAD + '''#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER vmedia

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "provider/vmedia.h"

#if !defined(VMEDIA_TRACE_PROVIDER_VMEDIA_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define VMEDIA_TRACE_PROVIDER_VMEDIA_H

#include <lttng/tracepoint.h>

#include "provider/events.h"

'''
    for enum in events.enums.values():
        yield f'LTTNG_UST_TRACEPOINT_ENUM(vmedia, {enum.name}, LTTNG_UST_TP_ENUM_VALUES(\n'
        for name, value in enum.values.items():
            yield f'\tlttng_ust_field_enum_value("{name}", {value})\n'
        yield '))\n\n'
    for event in events.events:
        yield f'LTTNG_UST_TRACEPOINT_EVENT(vmedia, {event.name},\n'
        yield f'\tLTTNG_UST_TP_ARGS(const struct trace_{event.name} *, e),\n'
        yield '\tLTTNG_UST_TP_FIELDS(\n'
        for field in event.fields:
            yield f'\t\t{tracepoint_field(events, field)}\n'
        yield '\t)\n)\n'
        yield (f'LTTNG_UST_TRACEPOINT_LOGLEVEL(vmedia, {event.name}, '
               f'LTTNG_UST_TRACEPOINT_LOGLEVEL_{event.level})\n\n')
    yield '#endif\n\n#include <lttng/tracepoint-event.h>\n'


def table(events):
    """Markdown: events with their fields, then the enums."""
    yield '| event | level | when | fields |\n|---|---|---|---|\n'
    for event in events.events:
        fields = '; '.join(f'`{f.name}` *{f.type}* {f.text}' for f in event.fields)
        yield f'| `{event.name}` | {event.level} | {event.when} | {fields} |\n'
    yield '\n| enum | values |\n|---|---|\n'
    for enum in events.enums.values():
        values = [f'{n} {v:#x}' if v > 255 else f'{n} {v}' for n, v in enum.own.items()]
        if len(enum.own) < len(enum.values):
            values.insert(0, 'the numbers of V4L2 ioctls under their names (QBUF 15)')
        yield f'| `{enum.name}` | {", ".join(values)} |\n'


def update(document, made, check):
    """Exit status: 1 when check finds the document out of date."""
    path = Path(document)
    before = path.read_text(encoding='utf-8')
    start, end = (before.index(mark) for mark in MARKS)
    after = before[:start] + MARKS[0] + '\n' + made + before[end:]
    if check:
        if after != before:
            print(f'{document}: not what events.toml says; run trace/provider/generate.py table')
        return int(after != before)
    path.write_text(after, encoding='utf-8')
    return 0


def main():
    if len(sys.argv) < 5 or sys.argv[1] not in ('structs', 'provider', 'table'):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    maker = {'structs': structs, 'provider': provider, 'table': table}[sys.argv[1]]
    made = ''.join(maker(Events(sys.argv[2], sys.argv[3])))
    if sys.argv[1] == 'table':
        return update(sys.argv[4], made, '--check' in sys.argv[5:])
    Path(sys.argv[4]).write_text(made, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
