"""The benchmarks: each a ratio against its own baseline, measured in the same run."""

import os

# Powertools reads these when a handler is imported
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "Kuaixintong")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "bench")
