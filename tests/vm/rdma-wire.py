# SPDX-License-Identifier: BSD-3-Clause
"""Count what RoCE v2 packets on a network device are: rdma-wire.py NETDEV

For each line on standard input, one line: the messages and bytes of data, by
operation, since the line before, as one JSON object.  Packets that are sent
again count once.
"""
import json
import select
import socket
import struct
import sys

ROCE_PORT = 4791
SEND, WRITE, READ, ANSWER = "send", "write", "read", "read data"
# The opcodes of reliable connections (InfiniBand 9.2): operation, is it
# a message's last packet, and the bytes of the headers after the first one.
OPCODES = {
    0x00: (SEND, False, 0), 0x01: (SEND, False, 0), 0x02: (SEND, True, 0),
    0x04: (SEND, True, 0),
    0x06: (WRITE, False, 16), 0x07: (WRITE, False, 0), 0x08: (WRITE, True, 0),
    0x0a: (WRITE, True, 16),
    0x0c: (READ, True, 16),
    0x0d: (ANSWER, False, 4), 0x0e: (ANSWER, False, 0),
    0x0f: (ANSWER, True, 4), 0x10: (ANSWER, True, 4),
    0x16: ("send with invalidate", True, 4),
    0x17: ("send with invalidate", True, 4),
}
BTH_BYTES, ICRC_BYTES = 12, 4


def parse(frame):
    """The BTH and what follows it, or None."""
    ip = frame[14:]
    if frame[12:14] != b"\x08\x00" or ip[9] != socket.IPPROTO_UDP:
        return None
    udp = ip[(ip[0] & 15) * 4:]
    port, length = struct.unpack(">HH", udp[2:6])
    return udp[8:length] if port == ROCE_PORT else None


class Counter:
    def __init__(self):
        self.seen = set()
        self.counts = {}

    def take(self, frame):
        bth = parse(frame)
        if bth is None or bth[0] not in OPCODES:
            return
        name, last, headers = OPCODES[bth[0]]
        qp, psn = bth[5:8], bth[9:12]
        # The data that a READ brings has the numbers of its request.
        packet = (qp, psn, name)
        if packet in self.seen:
            return
        self.seen.add(packet)
        count = self.counts.setdefault(name, {"messages": 0, "bytes": 0})
        count["messages"] += last
        padding = bth[1] >> 4 & 3
        if name != READ:
            count["bytes"] += (len(bth) - BTH_BYTES - headers - padding -
                               ICRC_BYTES)


def main():
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                            socket.htons(3))        # ETH_P_ALL
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
    packets.bind((sys.argv[1], 0))
    packets.setblocking(False)
    counter = Counter()
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([packets, sys.stdin], [], [])
        while True:
            try:
                counter.take(packets.recv(65536))
            except BlockingIOError:
                break
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            print(json.dumps(counter.counts), flush=True)
            counter.counts = {}


main()
