#!/usr/bin/env bash
# Build Hummingbot's wheel (once: it is kept in CACHE) and install it with its pinned packages into an environment of its own.
# install.sh VENV CACHE [PYTHON]
set -euo pipefail
VENV=$1 CACHE=$2 PYTHON=${3:-python3.11} VERSION=20260922
HERE=$(cd "$(dirname "$0")" && pwd)
command -v "$PYTHON" >/dev/null || { echo "hummingbot: found no $PYTHON; expected Python 3.11, which its wheel is built for; install it" >&2; exit 1; }
mkdir -p "$CACHE"
WHEEL=$(ls "$CACHE"/hummingbot-$VERSION-cp311-*.whl 2>/dev/null || true)
if [ -z "$WHEEL" ]; then
  echo "building Hummingbot $VERSION (3-5 minutes, once; kept in $CACHE)"
  BUILD=$(mktemp -d)
  trap 'rm -rf "$BUILD"' EXIT
  printf '[build_ext]\nparallel=2\n' > "$BUILD/parallel.cfg"
  # Without optimisation the C++ that Cython writes compiles in a fifth of the time; nothing here is bound by it.
  DIST_EXTRA_CONFIG=$BUILD/parallel.cfg CFLAGS="-O0 -g0" \
    "$PYTHON" -m pip wheel -q --disable-pip-version-check --no-deps -w "$BUILD" "hummingbot==$VERSION"
  mv "$BUILD"/hummingbot-$VERSION-*.whl "$CACHE"/
  WHEEL=$(ls "$CACHE"/hummingbot-$VERSION-cp311-*.whl)
fi
test -x "$VENV/bin/python" || "$PYTHON" -m venv "$VENV"
"$VENV/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r "$HERE/requirements.lock"
"$VENV/bin/python" -m pip install -q --disable-pip-version-check --no-deps --force-reinstall "$WHEEL"
"$VENV/bin/python" -c "import hummingbot, pydantic" && touch "$VENV/.installed"
