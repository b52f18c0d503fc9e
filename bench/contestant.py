"""One side of a comparison: a process that works without end and prints a line of JSON, {"step": n, "time": seconds, …}, after every so many steps.
Between its turns it is stopped by a signal, so all sides stay warm and none is in another's way."""
import contextlib
import json
import os
import select
import signal
import subprocess
import time

FIRST_STEP = 900  # seconds that a peer may compile


class Failure(Exception):
    pass


class Contestant:
    def __init__(self, command, every, log, threads, realtime=False, environment=None):
        """`every`: what a step of its lines counts for."""
        self.every, self.buffer, self.log = every, b"", log
        cpus = sorted(os.sched_getaffinity(0))[-threads:]
        since = time.perf_counter()
        with open(log, "w") as errors:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
                                            env={**os.environ, **(environment or {})}, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        try:
            self.last = self.line(FIRST_STEP)
        except BaseException:
            self.close()
            raise
        self.first_step = time.perf_counter() - since
        self.signal(signal.SIGSTOP)
        if realtime:
            self.prefer()

    def prefer(self):
        """Whenever it runs, it runs before everything else on the machine."""
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def line(self, timeout):
        """The next line that it prints."""
        pipe = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            if not select.select([pipe], [], [], timeout)[0]:
                raise Failure(f"no step in {timeout} s")
            piece = os.read(pipe, 1 << 16)
            if not piece:
                with open(self.log) as errors:
                    said = [line for line in errors.read().splitlines() if "Error" in line or "error" in line]
                raise Failure(said[-1] if said else f"exit status {self.process.wait()}")
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def forget(self):
        """Drops what it printed before it was stopped."""
        while select.select([self.process.stdout.fileno()], [], [], 0)[0] and os.read(self.process.stdout.fileno(), 1 << 16):
            pass
        self.buffer = b""

    def turn(self, seconds):
        """Seconds a step, over at least so many seconds. The step that was interrupted by the last stop doesn't count."""
        self.forget()
        self.signal(signal.SIGCONT)
        start = end = self.line(60)
        while end["step"] == start["step"] or end["time"] - start["time"] < seconds:
            end = self.line(60)
        self.signal(signal.SIGSTOP)
        self.last = end
        return (end["time"] - start["time"]) / (end["step"] - start["step"]) / self.every

    def peak_memory(self):
        """Its largest resident size so far, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
