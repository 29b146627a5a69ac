#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a class of Kafka's, as the script of this name in its distribution does.
set -euo pipefail

read -r -a heap <<<"${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}"
read -r -a performance <<<"${KAFKA_JVM_PERFORMANCE_OPTS:--server -XX:+UseG1GC}"
exec java "${heap[@]}" "${performance[@]}" -Dlog4j.configuration=file:/etc/kafka/docker/log4j.properties \
    -cp '/opt/kafka/libs/*' "$@"
