#!/usr/bin/env bash
# Rebuilds the embedded model and everything made from the same drawings:
#   bash training/rebuild.sh [WORKDIR]
# Needs python >= 3.10, npm, a C++ compiler, two CPU cores, 6 GB of memory, and about five hours.
# A run that was interrupted goes on from its last checkpoint when started again.
set -euo pipefail

cd "$(dirname "$0")/.."
work=${1:-${TMPDIR:-/tmp}/pez-demo-model}
config=training/configs/demo.json
model=pez_core/demo_model
mkdir -p "$work/npm"

if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
fi
"$work/venv/bin/pip" install --quiet --requirement training/requirements.txt
run() { "$work/venv/bin/python" -m "$@"; }

echo "== drawings"
if [ ! -f "$work/npm/package.json" ]; then
    echo '{"private": true}' > "$work/npm/package.json"
fi
run training.sources | xargs npm install --prefix "$work/npm" \
    --no-audit --no-fund --ignore-scripts --save-exact
if [ ! -f "$work/cache/sprites.json" ]; then
    run training.sprites --work "$work"
fi
run training.reserved --work "$work" --out benchmarks/data
run training.examples --work "$work" --out examples

echo "== training"
run training.train --work "$work" --config "$config"

echo "== export and evaluation"
run training.export --work "$work" --config "$config" --out "$model"
run training.bigrams --work "$work" --out "$model/bigrams.safetensors" \
    --held-out tests/fixtures/captions.txt
run training.neutral --out "$model/neutral.txt"
run training.evaluate --model "$model" --data benchmarks/data --extra "$work"
run training.probes --work "$work" --model "$model"

echo "== the judge of the benchmarks, trained apart"
run training.train --work "$work" --config training/configs/judge.json
run training.export --work "$work" --config training/configs/judge.json --out benchmarks/judge
run training.evaluate --model benchmarks/judge --data benchmarks/data --extra "$work"

echo "== the painter"
if [ ! -f "$work/drawings.zip" ]; then
    run training.painter.drawings --work "$work" --out "$work/drawings.zip"
fi
run training.painter.scene_set --drawings "$work/drawings.zip" --out benchmarks/data/scenes.webp
run training.painter.train --drawings "$work/drawings.zip" --work "$work" \
    --config training/configs/painter.json
run training.painter.export --checkpoint "$work/painter.ckpt" \
    --config training/configs/painter.json --out pez_core/demo_painter
run training.painter.evaluate --painter pez_core/demo_painter --out "$work/painter"
