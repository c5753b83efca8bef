"""Evidence-grade benchmarking for GPU kernels and LLM decode.

A study asks. The bench observes. The bundle keeps. Everything after it is arithmetic.
"""

__version__ = "0.1.0"
