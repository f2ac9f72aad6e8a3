"""One job by us and by others, side by side in one run: quoted time of each (maker, contract), of two million ticks.

The peers live in an environment of their own, which `python -m benchmarks.peers` makes under `build/peers/`.
"""
