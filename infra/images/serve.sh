#!/bin/sh
# Serve the function that this image is for: the HTTP API as an ASGI application, all others by
# functions-framework, which reads FUNCTION_TARGET, FUNCTION_SOURCE, PORT and THREADS.
set -eu
# Where pip put CUDA libraries that are loaded by name; nothing matches in other images.
for folder in "${VIRTUAL_ENV:-/opt/venv}"/lib/python3*/site-packages/nvidia/*/lib; do
    [ -d "$folder" ] && LD_LIBRARY_PATH="$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
done
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}"
if [ "$FUNCTION" = api ]; then
    exec uvicorn --factory functions.api.main:create --host "${HOST:-0.0.0.0}" --port "$PORT" --no-access-log --no-server-header
fi
exec functions-framework --host "${HOST:-0.0.0.0}"
