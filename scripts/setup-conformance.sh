#!/bin/sh
# Make .venv/conformance, with what requirements-conformance.txt names; do nothing when that is done.
#
# focus-validator needs Python 3.12 or newer, and numpy 1, which has wheels for 3.12 and for none after it.
set -eu
cd "$(dirname "$0")/.."
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH

usable='import sys; sys.exit(sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 12))'
venv=.venv/conformance
done_file=$venv/installed-requirements.txt

find_python() {
    pyenv_versions=${PYENV_ROOT:-$HOME/.pyenv}/versions
    managed=$(.venv/bin/uv python find --no-python-downloads 3.12 2>/dev/null || true)
    for candidate in python3.12 python3 "$managed" "$pyenv_versions"/3.12*/bin/python; do
        if [ -n "$candidate" ] && "$candidate" -c "$usable" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    cat >&2 <<'MESSAGE'
make conformance needs Python 3.12, which is not on PATH. Any of these gets one, beside the Python that you have:
  .venv/bin/uv python install 3.12     (no root; kept in your home)
  pyenv install 3.12
  the package python3.12 of your system, with its venv module
MESSAGE
    return 1
}

if cmp -s requirements-conformance.txt "$done_file"; then exit 0; fi
python=$(find_python)
echo "Making $venv with $python"
if ! "$python" -m venv --clear "$venv"; then
    rm -rf "$venv"
    echo "$python cannot make virtual environments: install its venv module (Debian: python3.12-venv)." >&2
    exit 1
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-user -r requirements-conformance.txt
cp requirements-conformance.txt "$done_file"
