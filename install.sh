#!/usr/bin/env bash
# Make VENV from the lock with an interpreter that pyproject.toml admits; what an interrupted run left is taken up again.
#   install.sh VENV [PYTHON]            PYTHON: a command or path; without it the one in VENV, else the first admitted on the PATH
#   install.sh --current VENV [PYTHON]  succeed if VENV is complete and of that interpreter
set -euo pipefail
cd "$(dirname "$0")"
# The index of PyTorch's CPU builds. Where it does not answer, pip takes what its own indexes and folders have.
TORCH_INDEX=${TORCH_INDEX-https://download.pytorch.org/whl/cpu}
CANDIDATES=${CANDIDATES:-python3.11 python3.12 python3.13 python3}
LOG=${LOG:-build/install.log}
ADMITTED=$(sed -nE 's/^requires-python = ">=3\.([0-9]+),<3\.([0-9]+)"$/\1 \2/p' pyproject.toml)
OLDEST=${ADMITTED% *} NEWEST=$((${ADMITTED#* } - 1))

fail() { echo "set-up: found $1; expected $2; $3" >&2; exit 1; }
identity() { "$1" -c 'import sys; print(*sys.version_info[:3], sys.base_prefix)' 2>/dev/null; }
admitted() {  # IDENTITY
  set -- $1
  [ "${1:-0}" = 3 ] && [ "$2" -ge "$OLDEST" ] && [ "$2" -le "$NEWEST" ]
}
complete() { [ -e "$1/.installed" ] && admitted "$(identity "$1/bin/python" || true)"; }
current() {  # VENV PYTHON
  complete "$1" && { [ -z "$2" ] || [ "$(identity "$1/bin/python")" = "$(identity "$2" || true)" ]; }
}

interpreter() {  # VENV PYTHON: print the interpreter to use
  local wanted="Python 3.$OLDEST to 3.$NEWEST" name found
  if [ -n "$2" ]; then
    found=$(identity "$2") || fail "no interpreter '$2' that runs" "$wanted" "name one: make PYTHON=/path/to/python3.$NEWEST"
    admitted "$found" || fail "Python $(tr ' ' . <<< "${found% *}") at '$2'" "$wanted" "name another: make PYTHON=/path/to/python3.$NEWEST"
    echo "$2"; return
  fi
  for name in "$1/bin/python" $CANDIDATES; do
    if admitted "$(identity "$name" || true)"; then echo "$name"; return; fi
  done
  fail "none of $CANDIDATES that is admitted" "$wanted" "install one (Debian: apt-get install python3 python3-venv) or name it: make PYTHON=..."
}

make_venv() {  # VENV PYTHON
  if [ -e "$1" ] && [ "$(identity "$1/bin/python" || true)" = "$(identity "$2")" ] && "$1/bin/python" -m pip --version >/dev/null 2>&1; then
    # pip writes RECORD last: a package without one was cut short and is installed again.
    find "$1"/lib/python3*/site-packages -maxdepth 1 \( -name '*.dist-info' ! -exec test -s '{}/RECORD' \; -o -name '~*' \) -exec rm -rf {} +
    return
  fi
  [ ! -e "$1" ] || echo "set-up: $1 is incomplete or of another interpreter; making it again"
  "$2" -c 'import ensurepip' 2>/dev/null || fail "an interpreter '$2' without ensurepip" "the venv module whole" "install it (Debian: apt-get install python3-venv)"
  "$2" -m venv --clear "$1" || fail "that '$2' makes no environment in $1" "a folder that can be written" "see the lines above"
}

install_locked() {  # pip arguments; once more if an index answered badly
  local python=$1; shift
  "$python" -m pip install -q --disable-pip-version-check "$@" >>"$LOG" 2>&1 && return
  echo "set-up: an index answered badly ($(problem)); trying once more"
  "$python" -m pip install -q --disable-pip-version-check "$@" >>"$LOG" 2>&1 && return
  fail "$(problem)" "every package of the lock from the index" "mend the network or the index ($LOG has pip's words), then run make again: it goes on where it stopped"
}
problem() { { grep -E '^ *(ERROR|error)' "$LOG" || tail -n 1 "$LOG"; } | tail -n 1 | cut -c1-160; }

if [ "${1:-}" = --current ]; then current "$2" "${3:-}"; exit; fi
VENV=$1
PYTHON=$(interpreter "$VENV" "${2:-}")
# The environment's own python cannot make it anew; its base can.
[ "$PYTHON" != "$VENV/bin/python" ] || PYTHON=$("$PYTHON" -c 'import sys; print(sys._base_executable)')
rm -f "$VENV/.installed"
mkdir -p "$(dirname "$LOG")"; : > "$LOG"
make_venv "$VENV" "$PYTHON"
echo "set-up: installing $(grep -c '==' requirements.lock) locked packages into $VENV with $("$PYTHON" --version) (2-3 minutes, once)"
install_locked "$VENV/bin/python" --no-deps --require-hashes -r requirements.lock
install_locked "$VENV/bin/python" ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX" --retries 1} -r requirements-torch.lock
install_locked "$VENV/bin/python" --no-deps --no-build-isolation -e .
"$VENV/bin/python" -m pip check --disable-pip-version-check >>"$LOG" 2>&1 \
  || fail "$(tail -n 1 "$LOG")" "packages that fit together" "renew the lock: make lock"
touch "$VENV/.installed"
