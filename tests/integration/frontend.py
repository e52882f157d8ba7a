# SPDX-License-Identifier: BSD-3-Clause
"""A vhost-user front-end without a driver behind it, message by message: for tests of what front-ends
do to vmediad. Its rings are empty, so they start and stop and carry nothing."""
import mmap
import os
import socket
import struct

NEED_REPLY, VERSION, REPLY = 8, 1, 4
GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL, SET_PROTOCOL_FEATURES, SET_VRING_ENABLE = 12, 13, 16, 18
FEATURES, PROTOCOL = 0x170000000, 0x400629
REGION_BYTES, UVA, RING_BYTES = 1 << 20, 0x7f0000000000, 1 << 16
HEADER = struct.Struct('<III')


class Frontend:
    """A connection with two regions of memory and two rings in the first one."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.regions = [os.memfd_create('guest') for _ in range(2)]
        for fd in self.regions:
            os.ftruncate(fd, REGION_BYTES)
        self.memory = mmap.mmap(self.regions[0], REGION_BYTES)
        self.eventfds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(4)]

    def close(self):
        self.socket.close()
        self.memory.close()
        for fd in self.regions + self.eventfds:
            os.close(fd)

    def send(self, request, payload=b'', fds=(), need_reply=False):
        flags = VERSION | (NEED_REPLY if need_reply else 0)
        socket.send_fds(self.socket, [HEADER.pack(request, flags, len(payload)) + payload], fds)

    def receive(self, size):
        data = b''
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError('vmediad hung up')
            data += part
        return data

    def reply(self, request):
        """The payload of the reply to `request`."""
        answered, flags, size = HEADER.unpack(self.receive(HEADER.size))
        if (answered, flags) != (request, VERSION | REPLY):
            raise ConnectionError(f'reply {answered}, flags {flags} to request {request}')
        return self.receive(size)

    def ask(self, request, payload=b''):
        self.send(request, payload)
        return self.reply(request)

    def set(self, request, payload=b'', fds=()):
        """True when it was acknowledged with 0."""
        self.send(request, payload, fds, need_reply=True)
        return self.reply(request) == bytes(8)

    def set_state(self, request, queue, number):
        return self.set(request, struct.pack('<II', queue, number))

    def set_memory(self, nb_regions):
        table = struct.pack('<II', nb_regions, 0)
        for i in range(nb_regions):
            table += struct.pack('<QQQQ', i << 32, REGION_BYTES, UVA + (i << 32), 0)
        return self.set(SET_MEM_TABLE, table, self.regions[:nb_regions])

    def negotiate(self):
        self.ask(GET_FEATURES)
        self.set(SET_PROTOCOL_FEATURES, struct.pack('<Q', PROTOCOL))
        self.set(SET_OWNER)
        self.set(SET_FEATURES, struct.pack('<Q', FEATURES))

    def set_ring(self, queue):
        base = UVA + queue * RING_BYTES
        self.set_state(SET_VRING_NUM, queue, 256)
        self.set_state(SET_VRING_BASE, queue, 0)
        self.set(SET_VRING_ADDR,
                 struct.pack('<IIQQQQ', queue, 0, base, base + 0x4000, base + 0x8000, 0))
        self.set(SET_VRING_KICK, struct.pack('<Q', queue), [self.eventfds[2 * queue]])
        self.set(SET_VRING_CALL, struct.pack('<Q', queue), [self.eventfds[2 * queue + 1]])

    def start(self):
        """True when both rings run."""
        for queue in range(2):
            self.set_ring(queue)
        return all([self.set_state(SET_VRING_ENABLE, queue, 1) for queue in range(2)])

    def get_base(self, queue):
        return struct.unpack('<II', self.ask(GET_VRING_BASE, struct.pack('<II', queue, 0)))[1]
