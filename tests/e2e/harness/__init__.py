# SPDX-License-Identifier: Apache-2.0
"""What the black-box tests stand on: brokers, the bridge, HTTP clients, consumers."""

# In front of a command: what a test starts ends with the test run, even when that is killed.
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]
