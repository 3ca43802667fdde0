#!/bin/sh
# Makes the virtual environment: make-venv.sh PYTHON DIRECTORY. Debian keeps the means for it in a package of its own.
set -eu
"$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "botd needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11" >&2
    exit 1
}
if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv
    else
        echo "this Python cannot make virtual environments; install it: apt-get install python3-venv" >&2
        exit 1
    fi
fi
"$1" -m venv "$2"
