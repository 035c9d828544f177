#!/bin/sh
# Installs what the lab needs on Debian 12, without letting any package start a service. Run as root.
set -eu

policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    made_policy=yes
fi
cleanup() { if [ -n "$made_policy" ]; then rm -f "$policy"; fi; }
trap cleanup EXIT

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y --no-install-recommends \
    prometheus prometheus-alertmanager prometheus-node-exporter prometheus-blackbox-exporter \
    prometheus-postgres-exporter prometheus-redis-exporter prometheus-nginx-exporter \
    rsyslog nginx-light redis-server postgresql-15 \
    python3 python3-prometheus-client python3-psycopg2 python3-redis \
    lxcfs nftables iproute2 procps util-linux e2fsprogs curl stress-ng
