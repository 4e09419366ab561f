"""From a checkpoint and its adapters to files that run elsewhere."""

import os

# Rows are worked on in threads of edgekit's own, one for each core: numpy's BLAS, which reads this when it is loaded,
# must not start as many again in each of them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
