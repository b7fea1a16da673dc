#!/bin/sh
# models.sh VENV TO [NAME...]: the weights NAME... into the folder TO, as an image brings them.
# A folder of that name below infra/images/models goes before what `rushes models install` fetches.
set -eu
venv=$1 to=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

mkdir -p "$to"
for model in "$@"; do
    if [ -d "$here/models/$model" ]; then
        cp -rL "$here/models/$model" "$to/"
    else
        PYTHONPATH="$root" RUSHES_MODELS="$to" "$venv/bin/python" -m infra.command.main models install "$model"
    fi
done
rm -f "$to/.lock"
chmod -R a+rX "$to"
