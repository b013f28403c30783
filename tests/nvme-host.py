# SPDX-License-Identifier: BSD-3-Clause
#
# A host of NVMe/TCP for tests, written from the specifications alone: it
# shares nothing with the project, not even a constant, so that a mistake made
# on both sides of the wire shows.
#
#   python3 nvme-host.py tcp://HOST:PORT DIR SUBNQN...
#
# attaches them all at once, and writes each page that there is to ask for,
# and what the registers say, to DIR/1 for the first, DIR/2 for the next, ...
#
#   python3 nvme-host.py tcp://HOST:PORT compare SUBNQN SLBA FILE
#
# has the controller compare the blocks (of 512 bytes) with those of FILE, and
# "write" instead of "compare" has it write them.
import os, socket, struct, sys, uuid

DISCOVERY = "nqn.2014-08.org.nvmexpress.discovery"
HOSTID = uuid.UUID ("6f9d2f3e-0000-4000-8000-000000000001")
HOSTNQN = "nqn.2014-08.org.nvmexpress:uuid:" + str (HOSTID)

class Queue:
    def __init__ (self, address):
        host, port = address[len ("tcp://"):].rsplit (":", 1)
        self.socket = socket.create_connection ((host.strip ("[]"), port))
        # ICReq: type, flags, HLEN, PDO, PLEN; PFV, HPDA, digests, MAXR2T
        self.send (struct.pack ("<BBBBIHBBI112x", 0, 0, 128, 0, 128,
                                0, 0, 0, 0))
        kind, flags, hlen, pdo, plen, pfv, cpda, digests, maxh2cdata = \
            struct.unpack_from ("<BBBBIHBBI", self.receive (128))
        assert (kind, hlen, plen, pfv, digests) == (1, 128, 128, 0, 0)
        assert cpda == 0 and maxh2cdata >= 4096 and maxh2cdata % 4 == 0
        self.cid = 0

    def send (self, octets):
        self.socket.sendall (octets)

    def receive (self, count):
        octets = b""
        while len (octets) < count:
            more = self.socket.recv (count - len (octets))
            assert more, "the controller closed the connection"
            octets += more
        return octets

    # Returns the 8 bytes of the result, and the data.
    def command (self, opcode, dwords, data=b"", want=0, byte4=0):
        self.cid += 1
        # in the capsule: data block, offset; else transport data block
        sgl = struct.pack ("<QI3xB", 0, len (data) or want,
                           0x01 if data else 0x5a)
        sqe = struct.pack ("<BBHI16x16s24s", opcode, 0x40, self.cid,
                           byte4, sgl, dwords)
        assert len (sqe) == 64
        pdo = 72 if data else 0
        self.send (struct.pack ("<BBBBI", 4, 0, 72, pdo, 72 + len (data))
                   + sqe + data)
        page = bytearray (want)
        while True:
            kind, flags, hlen, pdo, plen = \
                struct.unpack ("<BBBBI", self.receive (8))
            if kind == 7:               # C2HData
                assert (hlen, pdo) == (24, 24)
                cid, _, offset, count = \
                    struct.unpack ("<HHII4x", self.receive (16))
                assert cid == self.cid and plen == 24 + count
                assert offset + count <= want
                page[offset:offset + count] = self.receive (count)
                assert not flags & 8    # SUCCESS: not asked for in Connect
            else:
                assert (kind, hlen, pdo, plen) == (5, 24, 0, 24), kind
                result, sqhd, sqid, cid, status = \
                    struct.unpack ("<8sHHHH", self.receive (16))
                assert cid == self.cid
                assert status >> 1 == 0, "opcode %02xh: status %xh" % (
                    opcode, status >> 1 & 0x7ff)
                return result, bytes (page)

    # Returns the CNTLID.
    def connect (self, subnqn, qid, cntlid):
        data = struct.pack ("<16sH238x256s256s256x", HOSTID.bytes, cntlid,
                            subnqn.encode (), HOSTNQN.encode ())
        assert len (data) == 1024
        # RECFMT, QID, SQSIZE, CATTR, KATO
        result, _ = self.command (0x7f, struct.pack ("<HHHBxI12x", 0, qid, 31,
                                                     0, 0), data, byte4=1)
        cntlid, authreq = struct.unpack_from ("<HH", result)
        assert authreq == 0
        return cntlid

class Controller (Queue):
    def __init__ (self, address, subnqn):
        super ().__init__ (address)
        self.cntlid = self.connect (subnqn, 0, 0xffff)
        self.cap = self.property (0x00, 1)
        self.vs = self.property (0x08, 0)
        # EN, CSS 0, MPS 0, IOSQES 6, IOCQES 4
        self.command (0x7f, struct.pack ("<B3xIQ8x", 0, 0x14,
                                         0x00460001), byte4=0)
        while not self.property (0x1c, 0) & 1:
            pass

    def property (self, offset, wide):
        result, _ = self.command (0x7f, struct.pack ("<B3xI16x", wide, offset),
                                  byte4=4)
        return struct.unpack ("<Q" if wide else "<I4x", result)[0]

    def identify (self, cns, nsid=0):
        return self.command (0x06, struct.pack ("<I20x", cns), want=4096,
                             byte4=nsid)[1]

    def log (self, lid, offset, count):
        numd = count // 4 - 1
        return self.command (0x02, struct.pack (
            "<BBHHHQ8x", lid, 0, numd & 0xffff, numd >> 16, 0, offset),
            want=count)[1]

def pages (controller, subnqn):
    yield "registers", struct.pack ("<QIHH", controller.cap, controller.vs,
                                    controller.cntlid, 0)
    yield "controller", controller.identify (1)
    if subnqn == DISCOVERY:
        # The header, then each entry; GENCTR in the header tells of a change.
        header = controller.log (0x70, 0, 1024)
        numrec = struct.unpack_from ("<Q", header, 8)[0]
        yield "discovery", header + b"".join (
            controller.log (0x70, 1024 * (i + 1), 1024)
            for i in range (numrec))
        assert controller.log (0x70, 0, 1024) == header
    else:
        yield "list", controller.identify (2)
        yield "namespace", controller.identify (0, 1)
        yield "descriptors", controller.identify (3, 1)
        yield "nvm-controller", controller.identify (6)
        yield "independent", controller.identify (8, 1)

TRANSFERS = { "compare": 0x05, "write": 0x01 }

def transfer (opcode, address, subnqn, slba, data):
    controller = Controller (address, subnqn)
    queue = Queue (address)
    queue.connect (subnqn, 1, controller.cntlid)
    # SLBA, NLB 0-based
    queue.command (opcode, struct.pack ("<QI12x", slba,
                                        len (data) // 512 - 1),
                   data, byte4=1)

if sys.argv[2] in TRANSFERS:
    address, verb, subnqn, slba, name = sys.argv[1:]
    with open (name, "rb") as f:
        transfer (TRANSFERS[verb], address, subnqn, int (slba), f.read ())
    sys.exit ()
controllers = [Controller (sys.argv[1], subnqn) for subnqn in sys.argv[3:]]
for n, controller in enumerate (controllers):
    directory = os.path.join (sys.argv[2], str (n + 1))
    os.makedirs (directory)
    for name, octets in pages (controller, sys.argv[3 + n]):
        with open (os.path.join (directory, name), "wb") as f:
            f.write (octets)
