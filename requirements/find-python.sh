#!/usr/bin/env bash
# Prints a Python 3.13 that really runs: a version manager's stand-in may be on the PATH and refuse.
set -euo pipefail

for candidate in python3.13 python3 python; do
  if "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
    echo "$candidate"
    exit
  fi
done
if command -v uv >/dev/null && uv python install --quiet 3.13; then
  exec uv python find 3.13
fi
echo "Python 3.13 is needed: put python3.13 on the PATH, or install pyenv or uv." >&2
exit 1
