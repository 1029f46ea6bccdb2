"""The lease queue, the worker loop, the step journal and the bell between processes."""
