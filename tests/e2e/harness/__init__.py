# SPDX-License-Identifier: Apache-2.0
"""What the black-box tests stand on: brokers, the bridge, HTTP clients, consumers."""
