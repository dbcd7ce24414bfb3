#!/bin/sh
# `kxt` as it stands in this checkout; `make` puts this beside Python. `-P`: the folder that one stands in is no package.
here="$(dirname "$(readlink -f "$0")")/../.."
PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" exec "$here/.venv/bin/python" -P -m kxt "$@"
