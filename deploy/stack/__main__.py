"""`python -m deploy.stack [--tour] [--seconds N]`: start everything, say where it is, end all at Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import tempfile
import time
from pathlib import Path

from deploy.stack.tour import take
from deploy.stack.world import Stack

TOUR_SECONDS = 60


def main() -> None:
    """Until Ctrl-C, or the end of the tour."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3_600, help="how long the session lasts")
    parser.add_argument("--tour", action="store_true", help="play the tour, then end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does: all of it is ended
    seconds = TOUR_SECONDS if options.tour else options.seconds
    with tempfile.TemporaryDirectory(prefix="mm-monitor-stack-") as folder:
        print(
            "starting Kafka, Mosquitto, Alertmanager, Prometheus, the simulator and the monitor ..."
        )
        try:
            with Stack(Path(folder), seconds) as stack:
                print(
                    "\n".join(f"  {name:<20} {where}" for name, where in stack.addresses().items())
                )
                if options.tour:
                    asyncio.run(take(stack))
                else:
                    print("Ctrl-C ends all of it", flush=True)
                    listen(stack)
        except KeyboardInterrupt:
            print("\nended")


def listen(stack: Stack) -> None:
    """Print what webhooks are told, for ever."""
    told = 0
    while True:
        posts = stack.receiver.posts[told:]
        told += len(posts)
        for path, body in posts:
            if path == "/heartbeat":
                continue
            for alert in body["alerts"]:
                notes = alert["annotations"]
                said = f"{path} {alert['status']}: {notes['summary']}"
                print(said, notes.get("breach_id", ""), flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
