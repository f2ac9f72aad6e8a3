"""`python -m mm_monitor` is `mm-monitor`."""

from mm_monitor.cli import main

main()
