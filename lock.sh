#!/usr/bin/env bash
# Write the lock files from the ranges in pyproject.toml, for every Python that it admits, with the hash of every file.
#   lock.sh [UV ARGUMENTS]   such as --upgrade, or --upgrade-package NAME; pins that still fit stay as they are
set -euo pipefail
cd "$(dirname "$0")"
UV=build/uv/bin/uv
[ -x .venv/bin/python ] || { echo "lock: found no .venv; expected the environment that the agent's part is read from; run make" >&2; exit 1; }
[ -x "$UV" ] || { .venv/bin/python -m venv build/uv && build/uv/bin/pip install -q --disable-pip-version-check uv==0.13.9; }
OLDEST=$(sed -nE 's/^requires-python = ">=(3\.[0-9]+),.*/\1/p' pyproject.toml)
RESOLVE=("$UV" pip compile -q --no-header --no-annotate --generate-hashes)
# torch is installed in a second step; the marker that holds for every admitted Python says nothing.
"${RESOLVE[@]}" pyproject.toml --all-extras --universal --python-version "$OLDEST" --no-emit-package torch "$@" -o requirements.lock
sed -i -E "s/( and )?\(sys_platform == 'darwin' or sys_platform == 'linux'\)//; s/python_full_version < '3\.14'( and )?//; s/ ; +\\\\$/ \\\\/; s/ and +\\\\$/ \\\\/" requirements.lock
# Hummingbot's own list cannot be resolved, so its pins are kept by hand; their hashes are not.
"${RESOLVE[@]}" agent/hummingbot/requirements.lock --no-deps --python-version 3.11 -o agent/hummingbot/requirements.lock
.venv/bin/python docker/requirements.py
sed -i '/^      - [A-Za-z0-9]/d' environment.yml
sed -nE 's/^([A-Za-z0-9._-]+==[^\\]*[^\\ ]).*/      - \1/p' requirements-torch.lock requirements.lock >> environment.yml
echo "lock: $(grep -c '==' requirements.lock) packages; now make, and make test"
