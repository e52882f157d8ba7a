# SPDX-License-Identifier: BSD-3-Clause
"""Writes corpus/payload: one well-formed ioctl of each shape, see the top of fuzz_payload.c."""
import pathlib
import struct

OUT = pathlib.Path(__file__).parent / "corpus" / "payload"
BUFFER, CTRLS = 88, 32


def buffer(kind, memory, length):
    b = bytearray(BUFFER)
    struct.pack_into("<I", b, 4, kind)
    struct.pack_into("<IQI", b, 60, memory, 0xFFFF888012345678, length)
    return bytes(b)


def plane(length):
    return struct.pack("<IIQI", length, length, 0x10000, 0).ljust(64, b"\0")


def ctrls(*sizes):
    out = struct.pack("<IIIiIIQ", 0, len(sizes), len(sizes), 0, 0, 0, 0xFFFF888087654321)
    for i, size in enumerate(sizes):
        out += struct.pack("<IIIQ", 0x980900 + i, size, 0, 7)
    return out


def sg(*lengths):
    return b"".join(struct.pack("<QII", 0x1000 * (i + 1), n, 0) for i, n in enumerate(lengths))


def seed(name, code, r_part, w_len, piece=15, flags=0):
    (OUT / name).write_bytes(struct.pack("<BBHB", code, piece, w_len, flags) + r_part)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    fmt = struct.pack("<II", 9, 0).ljust(208, b"\1")
    planes3 = plane(0x1000) + plane(0x400) + plane(0x200)
    seed("g_fmt", 4, fmt, 216)
    seed("s_fmt_single", 5, struct.pack("<II", 1, 0).ljust(208, b"\1"), 216)
    seed("reqbufs", 8, struct.pack("<III", 4, 9, 1).ljust(20, b"\0"), 28)
    seed("create_bufs", 92, struct.pack("<IIII", 0, 4, 1, 0) + fmt + bytes(32), 264)
    seed("g_ctrl", 27, struct.pack("<Ii", 0x980900, 0), 16)
    seed("streamon", 18, struct.pack("<I", 9), 8)
    seed("g_input", 38, b"", 12)
    seed("g_enc_index", 76, b"", 2080)
    seed("querycap", 0, b"", 112)
    seed("qbuf_single", 15, buffer(1, 1, 4096), 96)
    seed("qbuf_single_userptr", 15, buffer(2, 2, 4096) + sg(2048, 2048), 96)
    seed("qbuf_mplane", 15, buffer(9, 1, 3) + planes3, 288)
    seed("qbuf_mplane_userptr", 15, buffer(10, 2, 3) + planes3 + sg(2048, 2048, 1024, 512), 288)
    seed("qbuf_8_planes_surplus", 15, buffer(9, 1, 8) + plane(1) * 18, 1248)
    seed("qbuf_output_8_planes", 15, buffer(10, 1, 8) + plane(1) * 18, 608, piece=255)
    seed("prepare_buf_8_planes", 93, buffer(9, 1, 8) + plane(1) * 16, 608, piece=87)
    seed("qbuf_no_room_for_planes", 15, buffer(9, 1, 3) + planes3, 120)
    seed("expbuf", 16, struct.pack("<IIII", 9, 0, 0, 0).ljust(64, b"\0") + b"\x42" * 16, 88)
    seed("g_ext_ctrls", 71, ctrls(0, 0, 32) + sg(32), 100)
    seed("s_ext_ctrls_enospc", 72, ctrls(8, 16) + sg(8, 10, 6), 80, piece=0, flags=28 << 1)
    seed("try_ext_ctrls_skip", 73, ctrls(0, 0), 80, flags=1)
    seed("ext_ctrls_class_probe", 72, ctrls(), 40)
    seed("query_ext_ctrl", 103, b"\xff" * 232, 240, piece=6)
    seed("no_writable_part", 4, fmt, 0)


main()
