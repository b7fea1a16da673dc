#!/usr/bin/env bash
# build.sh REPOSITORY TAG [FUNCTION...]: build and push the images of all functions, or of those named.
# A function whose row says gpu gets the GPU variant, under TAG-gpu; GPU_FUNCTIONS names more of them.
# Weights: MODELS_<FUNCTION>, e.g. MODELS_TRANSCRIBE="tiny small" MODELS_SEPARATE=htdemucs.
set -euo pipefail
repository=$1 tag=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"

table() { python3 -c "import json; rows = json.load(open('terraform/pipeline.json'))['functions']; $1"; }
[ $# -gt 0 ] || mapfile -t all < <(table "print('\n'.join(rows))")
for function in "${@:-${all[@]}}"; do
    variant=$(table "print(rows['$function']['machine'])")
    [[ " ${GPU_FUNCTIONS:-} " == *" $function "* ]] && variant=gpu
    models="MODELS_${function^^}"
    name="$repository/$function:$tag"
    [ "$variant" = gpu ] && name="$name-gpu"
    docker buildx build --platform linux/amd64 --file infra/images/Dockerfile --push --tag "$name" \
        --build-arg "FUNCTION=$function" --build-arg "VARIANT=$variant" --build-arg "MODELS=${!models:-}" .
done
