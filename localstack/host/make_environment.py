"""Makes the virtual environment that LocalStack runs in: `make_environment.py DIRECTORY CONSTRAINTS`, with any Python of 3.13 or newer.

Ends, with pip, as soon as its standard input does: whoever wants the environment is gone then.
"""

import os
import signal
import subprocess
import sys
import threading
import venv


def end_with_stdin() -> None:
    """The group is ours: whoever started us made it."""
    # Not sys.stdin, whose lock this thread would hold when the interpreter ends.
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Exit code: pip's."""
    directory, constraints = sys.argv[1:]
    threading.Thread(target=end_with_stdin, daemon=True).start()
    venv.create(directory, with_pip=True, symlinks=True)
    pip = [os.path.join(directory, "bin", "python"), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    packages = ["localstack-core[runtime]==4.14.0"]
    return subprocess.run([*pip, "--constraint", constraints, *packages], stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
