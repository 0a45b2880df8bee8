"""Exit codes: 0 done, 1 failed run, 2 bad usage (both are in engine.errors), 130 interrupted, 141 broken pipe."""

INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE, as a shell would report
