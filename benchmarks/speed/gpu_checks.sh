#!/usr/bin/env bash
# Everything that needs a GPU, in one command of at most eight minutes, without a network:
#
#     benchmarks/speed/gpu_checks.sh [--wheels FOLDER] [--out FOLDER] [--only SECTIONS] [--dry]
#
# --wheels: installs what Python lacks from a folder of wheels, into a folder of its own. --out: where
# logs and JSON files go (default: gpu_checks). --only: some of "tests steps searches folder memory
# precision". --dry: tiny models on a CPU. A section that fails or runs out of its time does not end
# the others; the exit code is then 1. PYTHON names the interpreter.
set -uo pipefail
cd "$(dirname "$0")/../.."
wheels="" out=gpu_checks dry="" only="tests steps searches folder memory precision"
usage() {
    sed -n '2,10s/^# \{0,1\}//p' benchmarks/speed/gpu_checks.sh >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
        --wheels | --out | --only)
            [ -n "${2:-}" ] || usage
            declare "${1#--}=$2"
            shift 2
            ;;
        --dry) dry=--dry; shift ;;
        *) usage ;;
    esac
done
python=${PYTHON:-python3}
mkdir -p "$out" || exit
export PYTHONUNBUFFERED=1
if [ -n "$wheels" ]; then
    site=$(mktemp -d) && trap 'rm -rf "$site"' EXIT
    "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target "$site" \
        "$wheels"/*.whl || exit
    export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
fi

failed=""
# section SECONDS NAME COMMAND...: one section, with its output in a log of its own as well.
section() {
    local seconds=$1 name=$2 start=$SECONDS
    shift 2
    [[ " $only " == *" $name "* ]] || return 0
    echo "== $name"
    timeout --kill-after=5 "$seconds" "$@" 2>&1 | tee "$out/$name.log" || failed="$failed $name"
    echo "== $name: $((SECONDS - start)) s"
}

section 90 tests "$python" -m pytest -q -p no:cacheprovider tests/cuda
section 100 steps "$python" -m benchmarks.speed.gpu steps --out "$out" $dry
section 130 searches "$python" -m benchmarks.speed.gpu searches --out "$out" $dry
section 60 folder "$python" -m benchmarks.speed.gpu folder --out "$out" $dry
section 60 memory "$python" -m benchmarks.speed.gpu memory --out "$out" $dry
section 40 precision "$python" -m benchmarks.speed.gpu precision --out "$out" $dry
if [ -n "$failed" ]; then
    echo "failed or out of time:$failed" >&2
    exit 1
fi
echo "all sections ended in $SECONDS s"
