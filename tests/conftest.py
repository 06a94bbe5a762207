"""What all tests of the suite itself need."""

import signal

# A shell starts background jobs, and some CI systems every job, with Ctrl-C ignored, and children inherit that: tests
# that send it would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
