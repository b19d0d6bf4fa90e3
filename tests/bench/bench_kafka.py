"""Topics of a real broker: the three requests that the bench needs, spoken
directly, because asking a tool a hundred times a second would cost more than
what is measured."""
import socket
import struct
import subprocess
import time

LIST_OFFSETS, CREATE_TOPICS, DELETE_TOPICS = 2, 19, 20
LATEST = -1


class BrokerError(Exception):
    pass


def text(s):
    data = s.encode()
    return struct.pack(">h", len(data)) + data


class Broker:
    def __init__(self, address):
        self.address = address
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.serial = 0

    def close(self):
        self.socket.close()

    def receive(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise BrokerError(f"{self.address} closed the connection")
            data += part
        return data

    def ask(self, api, version, body):
        self.serial += 1
        request = struct.pack(">hhi", api, version, self.serial)
        request += text("tidegate-bench") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        size, = struct.unpack(">i", self.receive(4))
        answer = self.receive(size)
        if struct.unpack(">i", answer[:4])[0] != self.serial:
            raise BrokerError(f"{self.address}: answer to another request")
        return answer[4:]

    def end_offset(self, topic):
        """High watermark of partition 0, or None while there is none."""
        body = struct.pack(">ii", -1, 1) + text(topic)
        body += struct.pack(">iiq", 1, 0, LATEST)
        answer = self.ask(LIST_OFFSETS, 1, body)
        error, _, offset = struct.unpack(">hqq", answer[-18:])
        if error in (3, 5, 6):  # unknown topic, no leader yet
            return None
        if error:
            raise BrokerError(f"end offset of {topic}: error {error}")
        return offset

    def create(self, topic):
        """One partition, one replica; returns when it can be written."""
        body = struct.pack(">i", 1) + text(topic)
        body += struct.pack(">ihii", 1, 1, 0, 0) + struct.pack(">i?", 30000,
                                                               False)
        answer = self.ask(CREATE_TOPICS, 2, body)
        at = 4 + 4 + 2 + len(topic.encode())
        error, = struct.unpack(">h", answer[at:at + 2])
        if error:
            raise BrokerError(f"creating {topic}: error {error}")
        end = time.monotonic() + 30
        while self.end_offset(topic) is None:
            if time.monotonic() > end:
                raise BrokerError(f"{topic} has no leader after 30 s")
            time.sleep(0.02)

    def delete(self, topic):
        body = struct.pack(">i", 1) + text(topic) + struct.pack(">i", 30000)
        self.ask(DELETE_TOPICS, 1, body)


def kcat(address, *args):
    done = subprocess.run(["kcat", "-b", address, *args], check=True,
                          capture_output=True, text=True, timeout=120)
    return done.stdout


def counted(address, topic):
    """End offset as kcat sees it: a second opinion."""
    return int(kcat(address, "-Q", "-t", f"{topic}:0:-1").split()[-1])


def span(address, topic, count):
    """Seconds between the CreateTime of the first and the last record."""
    times = []
    for offset in (0, count - 1):
        times.append(int(kcat(address, "-C", "-q", "-e", "-t", topic, "-p",
                              "0", "-o", str(offset), "-c", "1", "-f",
                              "%T\n")))
    return (times[1] - times[0]) / 1000


def read(address, topic):
    """All records as text lines; raises when kcat fails."""
    with subprocess.Popen(
            ["kcat", "-b", address, "-C", "-q", "-e", "-t", topic, "-p", "0",
             "-o", "beginning"],
            stdout=subprocess.PIPE, text=True, bufsize=1 << 20) as reader:
        try:
            yield from reader.stdout
        finally:
            reader.stdout.close()
    if reader.returncode != 0:
        raise BrokerError(f"reading {topic}: kcat ended with "
                          f"{reader.returncode}")
