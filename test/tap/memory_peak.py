"""The memory of a server process."""
import threading
import time


class Peak(threading.Thread):
    """Watches the private memory of a process while in scope; `mb` is the maximum."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.mb = 0
        self.over = threading.Event()

    def sample(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            kilobytes = next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))
        self.mb = max(self.mb, kilobytes / 1024)

    def run(self):
        while not self.over.is_set():
            self.sample()
            time.sleep(0.002)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
