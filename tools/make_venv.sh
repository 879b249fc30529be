#!/bin/sh
# Make a virtual environment with pip. Debian ships Python without the means to (ensurepip): then
# install what is missing when we are root, or say exactly what to install.
set -eu
venv=$1
python=${SYSTEM_PYTHON:-}

if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "error: expected Python 3.11 or newer, found: ${python:-none}" >&2
    echo "hint: apt-get install python3.11 python3.11-venv, or make SYSTEM_PYTHON=/path/to/python3.11" >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "error: $python cannot make virtual environments: its ensurepip module is missing" >&2
        echo "hint: sudo apt-get install $package, then run the same command again" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
fi

# A half-made environment, left by an interrupted run, has no pip: start over.
"$python" -m venv --clear "$venv"
