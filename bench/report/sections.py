# SPDX-License-Identifier: BSD-3-Clause
"""One section of the page for each kind of result, by its schema."""
from drawing import (SIDES, UNKNOWN, bars, counted, figures_row, figures_table, fixed, legend,
                     percentile_table, plot, rate, rows_table, text, unit, wide)
from histograms import median

SHAPES = ('G_CTRL', 'QBUF', 'DQBUF', 'done')
MAPPINGS = ('MMAP', 'MUNMAP')
FRAMES_AT_LEAST = 0.97  # of what the cameras should have given
OUTPUT_LINES = 30  # of a part that failed


def warning(words):
    return f'<p class="warn">{text(words)}</p>'


def marked(result):
    """Every run, group or whole result that says whether it was disturbed."""
    if isinstance(result, list):
        for item in result:
            yield from marked(item)
    elif isinstance(result, dict):
        if 'noisy' in result or 'disturbed' in result:
            yield bool(result.get('noisy') or result.get('disturbed'))
        for item in result.values():
            yield from marked(item)


def noise(result):
    marks = list(marked(result))
    if any(marks):
        yield warning(f'{sum(marks)} of {len(marks)} runs were noisy: driver or device waited for '
                      'a CPU, other threads ran, or the floor moved. Percentiles above p90 are '
                      'the machine’s.')


def load_section(result):
    yield (f'<p>{text(result["ioctl"])}, {counted(result["devices"], "device")} with '
           f'{result["depth"]} in flight each, {text(result["rings"])} rings, '
           f'{text(result["arrivals"])} arrivals; '
           f'{counted(len(result["runs"]), "run")}.</p>')
    yield '<div class="legend">' + ' '.join(legend(result)) + '</div>'
    yield plot(result)
    yield from percentile_table(result)
    for side in SIDES:
        runs = [run[side] for run in result['runs'] if run[side]]
        if runs:
            closed, opened = (', '.join(f'<span class="value">{rate(r[loop]["per_second"])}</span>'
                                        for r in runs) for loop in ('closed', 'open'))
            yield f'<p>{side}: commands of each run, closed loop {closed}; open loop {opened}.</p>'


# ---- round trips

def ratio(figures, other, key):
    """None when one of the two is unknown."""
    return figures[key] / other[key] if figures[key] and other[key] else None


def ratio_row(name, ratios):
    """`ratios`: of p50 and of p99, of each run; 0 is unknown."""
    cells = []
    for values in ratios:
        values = [value or None for value in values]
        cells += [' '.join(fixed(value, 2) for value in values), fixed(median(values), 2)]
    return (name, *cells)


def latency_section(result):
    runs = result['runs']
    floor = median([run['floor']['p50_ns'] for run in runs])
    has_device = any('device' in run['G_CTRL'] for run in runs)
    sides = list(SIDES) if has_device else ['echo']
    shapes = [s for s in SHAPES if all(sides[-1] in run.get(s, {}) for run in runs)]
    yield (f'<p>Round trips one after the other, {text(result["rings"])} rings, '
           f'{text(result["descriptors"])} descriptors, {counted(len(runs), "run")}; '
           f'floor {unit(floor)}. Medians of the runs’ p50:</p>')
    mappings = [m for m in MAPPINGS if has_device and all(m in run for run in runs)]
    yield bars([(f'{shape}, {side}', SIDES[side], median([r[shape][side]['p50_ns'] for r in runs]))
                for shape in shapes for side in sides]
               + [(f'{m}, device', SIDES['device'], median([r[m]['p50_ns'] for r in runs]))
                  for m in mappings])
    if has_device:
        rows = [ratio_row(f'{s}, device / echo',
                          [[r[s][key] for r in runs]
                           for key in ('p50_device_to_echo', 'p99_device_to_echo')])
                for s in shapes]
        rows += [ratio_row(f'{m} / G_CTRL, device',
                           [[ratio(r[m], r['G_CTRL']['device'], key) for r in runs]
                            for key in ('p50_ns', 'p99_ns')])
                 for m in mappings]
        yield from rows_table(['', 'p50, each run', 'median', 'p99, each run', 'median'], rows)


# ---- the others

def frames(group):
    """Frames a second of all runs: median and least."""
    rates = [run['frames_per_second'] for run in group['runs']]
    return median(rates), min(rates)


def kept_pace(group, due):
    """As the program says; of files that say nothing of it, by the least run."""
    return group.get('kept_pace', frames(group)[1] >= FRAMES_AT_LEAST * due)


def streams_section(result):
    groups, fps = result['groups'], result['fps']
    yield (f'<p>Null cameras of {fps} frames a second each on one reactor, '
           f'{text(result["rings"])} rings.</p>')
    for group in groups:
        due = group['devices'] * fps
        if not kept_pace(group, due):
            yield warning(f'{counted(group["devices"], "stream")} did not get all frames: in '
                          f'one run {frames(group)[1]:.0f} a second instead of {due}. The other '
                          ' figures of this row are not those of a full load.')
    yield bars([(f'{counted(g["devices"], "stream")}: work of a frame', SIDES['device'],
                 median([r['work_ns_per_frame'] for r in g['runs']])) for g in groups])
    rows = []
    for g in groups:
        middle, least = frames(g)
        idle = g['rest_pass_ns']
        rows.append((g['devices'], fixed(middle, 0), fixed(least, 0),
                     unit(median([r['work_ns_per_frame'] for r in g['runs']])),
                     unit(median([r['busy_ns_per_frame'] for r in g['runs']])), unit(idle),
                     unit(idle / g['devices'] if idle is not None else None),
                     unit(g['done_to_seen']['p50_ns']), unit(g['done_to_seen']['p99_ns']),
                     fixed(g['rss_kib_per_device'], 0), fixed(g.get('huge_kib_per_device'), 0),
                     fixed(g['fds_per_device'], 1)))
    yield from rows_table(
        ['devices', 'frames/s', 'least run', 'work of a frame', 'with looking at the others',
         'a pass without work', 'per device', 'done → seen p50', 'p99', 'KiB each',
         'huge KiB each', 'files each'], rows)


def capacity_section(result):
    found = result['streams']
    most = 'at least ' if found == result['most'] else ''
    what = f'{most}<span class="value">{counted(found, "stream")}</span>' if found else 'none'
    yield (f'<p>{result["width"]}x{result["height"]}, {result["fps"]} frames a second each, '
           f'backend {text(result["backend"])}, {text(result["rings"])} rings. In time: '
           f'p{result["percent"]:g} of done → seen at most {result["limit_us"]:g} µs, at most '
           f'{result["late_percent"]:g} % of the frames missed or later than a period.</p>')
    yield (f'<p>What one reactor serves in time: {what}; '
           f'the limit was {result["most"]} ({text(result["because"])}).</p>')
    yield from rows_table(
        ['devices', 'seconds', 'frames', 'missed', 'late', 'p50', 'judged', 'longest', 'busy %',
         ''],
        [(t['devices'], fixed(t['seconds'], 1), t['frames'], t['missed'], t['late'],
          unit(t['done_to_seen']['p50_ns']), unit(t['judged_us'] * 1e3),
          unit(t['done_to_seen']['max_ns']), fixed(t['busy_percent'], 1),
          ('holds' if t['holds'] else 'does not hold') + (' at length' if t['is_long'] else '')
          + (', noisy' if t['noisy'] else '')) for t in result['tries']], words=(9,))
    if result['failed']:
        yield warning('It failed before it was finished; so far '
                      f'{counted(result["streams_short"], "stream")} held.')


def idle_section(result):
    yield (f'<p>{counted(result["devices"], "idle device")}, policy {text(result["idle"])}: '
           f'{result["cpu_percent"]:.3f} % of a CPU. After a rest of {result["rest_ms"]:g} ms, '
           'p50:</p>')
    rows = [('a thread, by eventfd', 'echo', result['eventfd']),
            ('first command', 'device', result['device'])]
    yield bars([(name, SIDES[side], figures['p50_ns']) for name, side, figures in rows])
    yield from figures_table([figures_row(name, figures) for name, _, figures in rows])


def connect_section(result):
    phases = result['phases'].values()
    yield f'<p>From the beginning to the first answer, p50 of {result["rounds"]} rounds:</p>'
    yield bars([(phase['what'], SIDES['device'], phase['p50_ns']) for phase in phases])
    yield from figures_table([figures_row(phase['what'], phase) for phase in phases])


def micro_section(result):
    yield '<p>Parts on their own, one thread, everything in its cache.</p>'
    yield from rows_table(['operation', 'is', 'median', 'least', 'most'],
                          [(r['name'], r['what'], unit(median(r['ns'])), unit(min(r['ns'])),
                            unit(max(r['ns']))) for r in result['rows']], words=(1,))


def floor_section(result):
    yield (f'<p>A cache line from CPU {result["cpu_asks"]} to CPU {result["cpu_answers"]} and '
           'back: no device can be faster.</p>')
    yield from figures_table([figures_row('round trip', result['floor'])])


def compare_section(result):
    yield (f'<p>Two builds in turns on the same CPUs. A: {text(result["a"])}; '
           f'B: {text(result["b"])}. Above 1 B takes longer.</p>')
    yield from rows_table(
        ['', 'A', 'B / A', '95 % interval', 'p', 'B is'],
        [(f'{m["shape"]} p{m["percentile"]:g}', unit(m['a_ns'] or None), fixed(m['ratio'], 3),
          f'{fixed(m["low"], 3)} … {fixed(m["high"], 3)}', fixed(m['p'], 4), m['verdict'])
         for m in result['metrics']])


# ---- suites

def suite_section(result):
    parts = result['parts']
    failed = [name for name, part in parts.items() if 'schema' not in part]
    yield f'<p>Begun {text(result.get("date", UNKNOWN))}; {counted(len(parts), "part")}.</p>'
    if result.get('interrupted'):
        yield warning(f'Interrupted during “{result["interrupted"]}”: this part and those after '
                      'it are missing.')
    if failed:
        yield warning(f'{len(failed)} of {len(parts)} parts failed: '
                      + '; '.join(f'“{name}”' for name in failed) + '.')


def failed_section(result):
    lines = str(result.get('output', '')).splitlines()
    yield warning(f'Failed with exit status {result.get("status", UNKNOWN)}. '
                  + ('The end of its output:' if lines else 'There was no output.'))
    if lines:
        yield f'<pre>{text(chr(10).join(lines[-OUTPUT_LINES:]))}</pre>'


SECTIONS = {'vmedia-load-1': load_section, 'vmedia-latency-1': latency_section,
            'vmedia-streams-1': streams_section, 'vmedia-idle-1': idle_section,
            'vmedia-connect-1': connect_section, 'vmedia-micro-1': micro_section,
            'vmedia-floor-1': floor_section, 'vmedia-compare-1': compare_section,
            'vmedia-capacity-1': capacity_section, 'vmedia-suite-1': suite_section}


def environment(result):
    if result.get('environment'):
        yield '<details><summary>Environment</summary>'
        yield from wide(f'<tr><th>{text(name)}</th><td class="text">{text(value)}</td></tr>'
                        for name, value in result['environment'].items())
        yield '</details>'


def section(title, result):
    yield f'<h2>{text(title)}</h2>'
    schema = result.get('schema')
    if schema is None:
        yield from failed_section(result)
        return
    if schema != 'vmedia-suite-1':
        yield from noise(result)
    yield from SECTIONS[schema](result)
    yield from environment(result)
