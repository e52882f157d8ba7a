# SPDX-License-Identifier: BSD-3-Clause
"""The frame that lib/backend/pattern/pattern.md defines, built from that text alone, and the strip in
a frame that came: so a picture is checked to the byte without any of the code that drew it."""
import math
import struct

CELL, WORDS = 8, 7
Y = (180, 162, 131, 112, 84, 65, 35, 16)
U = (128, 44, 156, 72, 184, 100, 212, 128)
V = (128, 142, 44, 58, 198, 212, 114, 128)
WHITE, BLACK = (235, 128, 128), (16, 128, 128)
MAGIC = 0x564D4544


def even(number):
    return number & ~1


def luma_row(fourcc, frame, width, y):
    """The Y samples of a line."""
    if fourcc == 'YUYV':
        return frame[y * width * 2:(y + 1) * width * 2:2]
    return frame[y * width:(y + 1) * width]


def read_strip(fourcc, frame, width):
    """The seven words of a frame, or None when their check word is wrong."""
    per_row = width // CELL
    bits = 0
    for cell in range(32 * WORDS):
        row = luma_row(fourcc, frame, width, cell // per_row * CELL + CELL // 2)
        bits = bits << 1 | (row[cell % per_row * CELL + CELL // 2] > 128)
    words = struct.unpack('>7I', bits.to_bytes(4 * WORDS, 'big'))
    check = MAGIC
    for word in words[:6]:
        check ^= word
    return words if check == words[6] and words[0] >> 16 == 0x564D else None


def position(span, sequence):
    if span == 0:
        return 0
    t = 4 * sequence % (2 * span)
    return even(t if t < span else 2 * span - t)


def pixels_of_row(width, height, y, words):
    """(Y, U, V) of each pixel of a line."""
    bar = -(-width // 8)
    bar += bar & 1
    row = [(Y[b], U[b], V[b]) for b in (x // bar for x in range(width))]
    per_row = width // CELL
    rows_of_cells = -(-32 * WORDS // per_row)
    if y < rows_of_cells * CELL:
        first = y // CELL * per_row
        for cell in range(first, min(first + per_row, 32 * WORDS)):
            one = words[cell // 32] >> (31 - cell % 32) & 1
            at = (cell - first) * CELL
            row[at:at + CELL] = [WHITE if one else BLACK] * CELL
        return row
    w, h = even(width // 8), even(height // 8)
    left, top = position(width - w, words[1]), position(height - h, words[1])
    if top <= y < top + h:
        row[left:left + w] = [WHITE] * w
    return row


def picture_row(width, height, y, words):
    """(Y, U, V) of each pixel of a line of the picture without the strip."""
    bar = -(-width // 8)
    bar += bar & 1
    row = [(Y[b], U[b], V[b]) for b in (x // bar for x in range(width))]
    w, h = even(width // 8), even(height // 8)
    left, top = position(width - w, words[1]), position(height - h, words[1])
    if top <= y < top + h:
        row[left:left + w] = [WHITE] * w
    return row


def render_window(width, height, words, crop, compose):
    """A frame as YUYV: (left, top, width, height) of the picture go to (left, top) of the buffer, which
    is black elsewhere; the strip lies on top."""
    per_row, out, cache = width // CELL, bytearray(), {}
    for y in range(height):
        row = [BLACK] * width
        if compose[1] <= y < compose[1] + crop[3]:
            source = picture_row(width, height, y - compose[1] + crop[1], words)
            row[compose[0]:compose[0] + crop[2]] = source[crop[0]:crop[0] + crop[2]]
        first = y // CELL * per_row
        for cell in range(first, min(first + per_row, 32 * WORDS)):
            at = (cell - first) * CELL
            one = words[cell // 32] >> (31 - cell % 32) & 1
            row[at:at + CELL] = [WHITE if one else BLACK] * CELL
        key = tuple(row)
        if key not in cache:
            cache[key] = bytes(v for x in range(0, width, 2)
                               for v in (row[x][0], row[x][1], row[x + 1][0], row[x][2]))
        out += cache[key]
    return bytes(out)


def render(fourcc, width, height, words):
    """The whole frame as it lies in memory, lines without padding: YUYV, NV12 or GREY."""
    cache, planes = {}, [bytearray(), bytearray()]
    w, h = even(width // 8), even(height // 8)
    top = position(height - h, words[1])
    strip_end = -(-32 * WORDS // (width // CELL)) * CELL
    for y in range(height):
        key = y // CELL if y < strip_end else ('box' if top <= y < top + h else 'bars')
        if key not in cache:
            cache[key] = pixels_of_row(width, height, y, words)
        row = cache[key]
        if fourcc == 'YUYV':
            for x in range(0, width, 2):
                planes[0] += bytes((row[x][0], row[x][1], row[x + 1][0], row[x][2]))
            continue
        planes[0] += bytes(p[0] for p in row)
        if fourcc == 'NV12' and y % 2 == 0:
            planes[1] += bytes(c for x in range(0, width, 2) for c in row[x][1:])
    return bytes(planes[0] + planes[1])


RGB = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0),
       (0, 0, 191), (0, 0, 0))


def full_range():
    """What limited range says, as JPEG has it: from R, G, B."""
    colours = {WHITE: (255, 128, 128), BLACK: (0, 128, 128)}
    for limited, (r, g, b) in zip(zip(Y, U, V), RGB):
        colours[limited] = (.299 * r + .587 * g + .114 * b, 128 - .1687 * r - .3313 * g + .5 * b,
                            128 + .5 * r - .4187 * g - .0813 * b)
    return colours


def jpeg_psnr(width, height, frame):
    """How near a decoded frame (4:2:0, full range, three planes) is to the definition, in dB; None
    without a strip."""
    luma, colours = width * height, full_range()
    words = read_strip('GREY', frame, width)
    if words is None:
        return None
    error = 0.
    for y in range(height):
        row = [colours[pixel] for pixel in pixels_of_row(width, height, y, words)]
        error += sum((p[0] - got) ** 2 for p, got in zip(row, frame[y * width:]))
        if y % 2 == 0:
            for plane in (0, 1):
                at = luma + plane * luma // 4 + y // 2 * (width // 2)
                error += sum((p[1 + plane] - got) ** 2
                             for p, got in zip(row[::2], frame[at:at + width // 2]))
    return 10 * math.log10(255 ** 2 * luma * 1.5 / error) if error else math.inf


def check_frames(fourcc, width, height, data):
    """(frames, first mistake or None): each frame equals its definition, sequence numbers grow by
    one more than the periods that the device says it missed."""
    size = width * height * {'YUYV': 4, 'NV12': 3, 'GREY': 2}[fourcc] // 2
    if not data or len(data) % size:
        return 0, f'{len(data)} bytes are no whole number of frames of {size}'
    before = None
    for n in range(len(data) // size):
        frame = data[n * size:(n + 1) * size]
        words = read_strip(fourcc, frame, width)
        if words is None:
            return n, f'frame {n}: no strip'
        if frame != render(fourcc, width, height, words):
            return n, f'frame {n}: pixels differ from the definition'
        missed = (words[4] >> 16) + (words[4] & 0xffff) + (words[5] >> 16)
        if before and words[1] - before[0] != 1 + missed - before[1]:
            return n, (f'frame {n}: sequence {before[0]} then {words[1]}, '
                       f'{missed - before[1]} missed')
        before = words[1], missed
    return len(data) // size, None
