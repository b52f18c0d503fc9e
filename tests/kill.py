#!/usr/bin/env python3
"""Kills a training run at random moments and resumes it each time; it must end as the run that was left alone, byte for byte.

    tests/kill.py [--kills 50] [--seed 1] [--threads 1,2] PROGRAM.nn -- ARGUMENTS

The arguments are those of the compiled program. The files that it writes must lie in its folder: it runs in one of its own, in
which the files of the current one can be seen. Prints how often it was killed, in how many of these cases a checkpoint had been
saved since the kill before, and what was compared."""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

NNC = pathlib.Path(__file__).resolve().parent.parent / "build" / "bin" / "nnc"


def folder_in(work, name):
    """A folder that shows what the current one holds."""
    folder = work / name
    folder.mkdir()
    for path in pathlib.Path.cwd().iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def own_files(folder):
    """What the program has written there, without its checkpoints."""
    files = {}
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if b'"format":"nnc checkpoint' not in data[:100]:
            files[path.name] = data
    return files


def checkpoints(folder):
    return sorted((path.name, path.stat().st_mtime_ns) for path in folder.iterdir()
                  if not path.is_symlink() and b'"format":"nnc checkpoint' in path.read_bytes()[:100])


def kill_once(command, folder, seconds):
    """Runs for so long; None if it was killed then, else its exit status and what it printed."""
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=seconds)
        return process.returncode, out, err
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None


def main():
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", default="1,2")
    options = parser.parse_args(sys.argv[1:split])
    arguments, threads = sys.argv[split + 1:], options.threads.split(",")
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        program = str(work / "program")
        subprocess.run([NNC, "build", options.program, "-o", program], check=True)
        whole = folder_in(work, "whole")
        begun = time.monotonic()
        status, expected, err = kill_once([program, *arguments], whole, None)
        seconds = time.monotonic() - begun
        if status != 0:
            sys.exit(f"exit status {status}\n{err.decode()}")
        print(f"undisturbed: {seconds:.1f} s, {len(checkpoints(whole))} checkpoints left", flush=True)
        part = folder_in(work, "part")
        kills = progress = 0
        before, ended = [], None
        # As long as if all lives together were the undisturbed run's; longer after such as reached no checkpoint.
        life, vain = 1.5 * seconds / (options.kills + 1), 0
        while ended is None:
            if kills >= options.kills:
                ended = kill_once([program, *arguments, "--resume"], part, None)
                break
            ended = kill_once([program, *arguments, "--resume", f"--threads={generator.choice(threads)}"], part,
                              generator.uniform(0, life * 1.2 ** vain))
            if ended is None:
                kills += 1
                now = checkpoints(part)
                progress += now != before
                vain = vain + 1 if now == before else 0
                before = now
        status, out, err = ended
        if status != 0:
            sys.exit(f"exit status {status} after {kills} kills\n{err.decode()}")
        print(f"killed {kills} times, {progress} of them after new checkpoints; then: {err.decode().strip()}")
        same_output = expected.endswith(out)
        a, b = own_files(whole), own_files(part)
        for name in sorted(a.keys() | b.keys()):
            print(f"{name}: {'the same' if a.get(name) == b.get(name) else 'DIFFERENT'}, {len(a.get(name, b''))} bytes")
        print(f"output: {'the end of' if same_output else 'DIFFERENT from'} that of the undisturbed run")
        left = [path.name for path in part.iterdir() if path.name.endswith(".tmp")]
        print(f"begun files left behind: {left or 'none'}")
        sys.exit(0 if a == b and a and same_output else 1)


if __name__ == "__main__":
    main()
