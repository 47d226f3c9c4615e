#!/usr/bin/env python3
"""Steady load on the service: load.py PORT [requests per second] [seconds]

One client in ten waits for its answer, the others go away as soon as they have asked. Prints what became of
them as a line of JSON."""

import json
import socket
import sys
import time


def ask(port, number, waits):
    """True when an answer came."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET /jobs/order-{number} HTTP/1.0\r\n\r\n".encode())
        return waits and connection.makefile("rb").readline().startswith(b"HTTP/1.0 200")


def main():
    port = int(sys.argv[1])
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 200
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 10
    counts = {"sent": 0, "answered": 0, "gone": 0, "failed": 0}
    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        if counts["sent"] >= elapsed * rate:
            time.sleep(0.001)
            continue
        waits = counts["sent"] % 10 == 0
        try:
            answered = ask(port, counts["sent"], waits)
            counts["answered" if answered else "failed" if waits else "gone"] += 1
        except ConnectionRefusedError:  # a service under test has ended
            break
        except OSError:
            counts["failed"] += 1
        counts["sent"] += 1
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
