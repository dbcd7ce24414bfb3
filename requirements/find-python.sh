#!/usr/bin/env bash
# Prints a Python 3.13 that really runs: a version manager's stand-in may be on the PATH and refuse, and a system's
# Python may lack venv.
set -euo pipefail

for candidate in python3.13 python3 python "$(pyenv root 2>/dev/null || true)"/versions/3.13*/bin/python; do
  if "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
    echo "$candidate"
    exit
  fi
done
if command -v uv >/dev/null && uv python install --quiet 3.13; then
  exec uv python find 3.13
fi
echo "Python 3.13 with venv is needed: put python3.13 on the PATH, or run \`pyenv install 3.13\`, or install uv." >&2
exit 1
