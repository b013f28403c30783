# SPDX-License-Identifier: BSD-3-Clause
"""What the commands of bench/ that measure have in common: the build tree,
a place for the data, a clean end.
"""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile

import paths
import session
from processes import Failed

HERE = os.path.dirname(os.path.realpath(__file__))


def positive(text):
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def mebibytes(text):
    return positive(text) << 20


def duration(text):
    seconds = float(text)
    if not seconds > 0:
        raise ValueError
    return seconds


def parser(description):
    """With the options that all have."""
    result = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawTextHelpFormatter,
        epilog="paths:\n" + "\n".join(
            f"  {name:16}{path.title}" for name, path in paths.PATHS.items()))
    result.add_argument("--build", metavar="DIR",
                        help="the build tree (default: of ./run, else the "
                        "current directory)")
    result.add_argument("--size", type=mebibytes, default=256 << 20,
                        metavar="MIB", help="of the device (default 256)")
    result.add_argument("--memory", metavar="DIR", default="/dev/shm",
                        help="a tmpfs for the data (default /dev/shm)")
    result.add_argument("--output", metavar="DIR",
                        default=os.path.join(HERE, "results"),
                        help="default bench/results")
    return result


def enter_build_tree(build):
    """Start again under its ./run, unless we are there."""
    if "QBD_BUILDDIR" in os.environ and build is None:
        return
    build = os.path.abspath(build or ".")
    run = os.path.join(build, "run")
    if os.environ.get("QBD_BUILDDIR") == build:
        return
    if not os.access(run, os.X_OK):
        raise Failed(f"{build}: not a build tree of qbd (there is no "
                     "./run); configure and make first, or name it "
                     "with --build")
    os.execv(run, [run, sys.executable, os.path.realpath(sys.argv[0]),
                   *sys.argv[1:]])


def check_machine(args, plan):
    names = {path for _, serving in plan for path in serving}
    missing = paths.missing_programs([paths.PATHS[name] for name in names])
    if missing:
        raise Failed(f"these programs are missing: {', '.join(missing)} "
                     "(dev/deps installs them)")
    need = args.size * 5 // 4 * len(session.set_ups(
        (case, serving) for case, serving in plan
        if not case.kind.startswith("vm")))
    free = shutil.disk_usage(args.memory).free
    if free < need:
        raise Failed(f"{args.memory}: {need >> 20} MiB are needed, "
                     f"{free >> 20} MiB are free; try a smaller --size")


@contextlib.contextmanager
def measuring(args, plan):
    """A stack for what is to be undone at the end, and a session."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="qbd-bench-",
                                        dir=args.memory))
        yield stack, session.Session(plan, args.size, directory, args.output)


def stop_on_signal(number, frame):
    sys.exit(128 + number)


def main(action):
    """Run action (), and end as a command does."""
    signal.signal(signal.SIGTERM, stop_on_signal)
    os.environ["PATH"] += ":/usr/sbin:/sbin"        # tgtd's, for all users
    try:
        action()
    except (Failed, OSError) as e:
        sys.exit(f"bench/{os.path.basename(sys.argv[0])}: {e}")
    except KeyboardInterrupt:
        sys.exit(130)
