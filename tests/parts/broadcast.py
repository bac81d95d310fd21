"""A stream on this machine that breaks off."""

import socket
import threading
import time

import numpy as np


class Broadcast(threading.Thread):
    """Sends a video to whoever connects, at the pace of real time, a number of times; then nobody answers."""

    def __init__(self, path, duration_s, times):
        super().__init__(daemon=True)
        self.content, self.duration_s, self.times = path.read_bytes(), duration_s, times
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://user:secret@127.0.0.1:{self.socket.getsockname()[1]}/court"
        self.start()

    def run(self):
        with self.socket:
            for _ in range(self.times):
                connection, _ = self.socket.accept()
                with connection:
                    chunks = np.array_split(
                        np.frombuffer(self.content, np.uint8), round(50 * self.duration_s)
                    )
                    for chunk in chunks:
                        connection.sendall(chunk.tobytes())
                        time.sleep(0.02)
