#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Questions to a trace that no table answers, in Python: open this as a notebook (each `# %%` is a
cell, in Jupyter by jupytext) or run it: notebook.py TRACE. It needs the package python3-bt2, and
BABELTRACE_PLUGIN_PATH where the plugin is not installed: its filter joins the spans, in C, so that
Python sees one event per command.
"""
# %% The trace
import sys
from collections import Counter, defaultdict

try:
    import bt2
except ImportError:
    sys.exit('notebook.py: no module bt2; install the package python3-bt2')

TRACE = sys.argv[1] if len(sys.argv) > 1 else 'slow-camera'


# %% Commands and frames as plain tuples; pandas.DataFrame(commands(TRACE)) makes a table of it.
def events(trace, *filters):
    """(time in ns, name, fields) of each vmedia event, after the filters of the plugin vmedia."""
    specs = [bt2.ComponentSpec.from_named_plugin_and_component_class('vmedia', f) for f in filters]
    source = bt2.AutoSourceComponentSpec(trace)
    for message in bt2.TraceCollectionMessageIterator(source, specs):
        if type(message) is bt2._EventMessageConst and message.event.name.startswith('vmedia:'):
            name = message.event.name[len('vmedia:'):]
            yield message.default_clock_snapshot.ns_from_origin, name, message.event


def commands(trace):
    """One dict per command, times in ns."""
    keys = ('device', 'session', 'seq', 'code', 'status',
            'parse_ns', 'begin_ns', 'end_ns', 'publish_ns')
    for time, _, fields in events(trace, 'spans'):
        yield {'time_ns': time, **{key: int(fields[key]) for key in keys}}


# %% Which ioctl makes a session wait longest in all?
def waiting(trace):
    """{(device, code): (ns in all, commands)}"""
    total = defaultdict(lambda: [0, 0])
    for command in commands(trace):
        entry = total[command['device'], command['code']]
        entry[0] += command['publish_ns']
        entry[1] += 1
    return {key: tuple(value) for key, value in total.items()}


# %% Do missed periods come alone or in bursts? Their number per device and 100 ms.
def bursts(trace, width_ns=100_000_000):
    """{device: Counter of missed periods by slice of time}"""
    missed, first = defaultdict(Counter), None
    for time, name, fields in events(trace):
        first = time if first is None else first
        if name == 'frame_missed':
            missed[int(fields['device'])][(time - first) // width_ns] += int(fields['nb_periods'])
    return missed


# %% Answers
if __name__ == '__main__':
    longest = sorted(waiting(TRACE).items(), key=lambda item: -item[1][0])
    for (device, code), (ns, nb) in longest[:5]:
        print(f'device {device}, code {code:#x}: {ns / 1e6:.3f} ms in {nb} commands')
    for device, counts in sorted(bursts(TRACE).items()):
        print(f'device {device} missed',
              ', '.join(f'{nb} at {at / 10:.1f} s' for at, nb in counts.items()))
