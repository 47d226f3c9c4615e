"""A Python program, healthy or leaking: its objects are blocks of the interpreter's own arenas."""

import sys
import time

kept = []


def churn(number):
    """Strings and dictionaries of all sizes, of which the last hundred are kept."""
    kept.append({str(key): "x" * (key * 7 % 900) for key in range(number % 60)})
    del kept[:-100]


def leak(number):
    """Each is kept; large enough to be a block of malloc's."""
    kept.append(bytearray(2000 + number % 100))


def serve(rate, step):
    print("begun", flush=True)
    done, start = 0, time.monotonic()
    while True:
        while done < (time.monotonic() - start) * rate:
            step(done)
            done += 1
        time.sleep(0.01)


serve(200, {"churn": churn, "leak": leak}[sys.argv[1]])
