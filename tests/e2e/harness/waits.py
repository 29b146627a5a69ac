# SPDX-License-Identifier: Apache-2.0
"""Waiting for events instead of for time."""

import time


def eventually(condition, timeout=15, what=None, every=0.02):
    """Polls until condition() gives something true and returns that.

    An exception counts as "not yet"; the last one is shown when time is up."""
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            result = condition()
            if result:
                return result
            last = repr(result)
        except Exception as error:  # any: the thing may not be there yet
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > end:
            raise AssertionError(f"{what or condition} not within {timeout} s; last: {last}")
        time.sleep(every)
