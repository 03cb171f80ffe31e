#!/usr/bin/env bash
# All tests of the front end: the pure ones under node, then ComfyUI's real front end in Chromium.
# Installs what it needs into node_modules/ and .front/ here (both ignored by git); delete .front/ to
# get the newest front end again. Environment:
#   PEZ_FRONTS       versions, default "1.27.10,1.35.9,1.49.6,newest"  PEZ_RENDERERS  default "classic,nodes2"
#   PEZ_SCREENSHOTS  folder, default screenshots/ here      CHROMIUM       a browser to use
#   PYTHON           a Python with aiohttp, else a venv is made in .front/
#   PEZ_BROWSER      "required": to have no browser is a failure, as it is in .ci/run
set -euo pipefail
cd "$(dirname "$0")"
export PEZ_FRONTS="${PEZ_FRONTS:-1.27.10,1.35.9,1.49.6,newest}"
export PEZ_RENDERERS="${PEZ_RENDERERS:-classic,nodes2}"
export PEZ_SCREENSHOTS="${PEZ_SCREENSHOTS:-$PWD/screenshots}"

say() { printf '\n== %s\n' "$*"; }

command -v npm >/dev/null || { echo "npm is missing: install Node.js 18 or newer"; exit 1; }

say "packages"
npm install --no-package-lock --no-audit --no-fund --loglevel=error

say "pure tests"
node --test --test-reporter=spec ./*.test.mjs

find_chromium() {
  local name
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name"; then return; fi
  done
  return 1
}
if ! CHROMIUM=$(find_chromium) && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "chromium"
  apt-get update -qq >/dev/null && apt-get install -y -qq chromium >/dev/null || true
fi
if ! CHROMIUM=$(find_chromium); then
  say "PURE TESTS PASSED. BROWSER TESTS SKIPPED: no Chromium here (set CHROMIUM to one)"
  [ "${PEZ_BROWSER:-}" != required ]
  exit
fi
export CHROMIUM

say "front ends and server"
pip_quiet() { "$@" -q --disable-pip-version-check --no-input; }
if [ -z "${PYTHON:-}" ] || ! "$PYTHON" -c "import aiohttp" 2>/dev/null; then
  if [ ! -x .front/venv/bin/python ] || ! .front/venv/bin/python -c "import aiohttp" 2>/dev/null; then
    "${PYTHON:-python3}" -m venv .front/venv
    pip_quiet .front/venv/bin/pip install aiohttp
  fi
  PYTHON=$PWD/.front/venv/bin/python
fi
export PYTHON
names=""
for version in ${PEZ_FRONTS//,/ }; do
  package=comfyui-frontend-package
  [ "$version" = newest ] || package="$package==$version"
  if [ ! -f ".front/$version/comfyui_frontend_package/static/index.html" ]; then
    pip_quiet python3 -m pip install --no-deps --target ".front/$version" "$package"
  fi
  names="$names $(basename .front/"$version"/*.dist-info .dist-info)"
done
echo "front ends:$names"

say "browser tests"
rm -rf "$PEZ_SCREENSHOTS"/*-FAILED-*.png
node --test --test-reporter=spec browser/*.test.mjs

say "FRONT END: ALL TESTS PASSED ($PEZ_FRONTS; $PEZ_RENDERERS). Screenshots: $PEZ_SCREENSHOTS"
