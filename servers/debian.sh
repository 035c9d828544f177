#!/bin/sh
# Installs Debian's packages of the real programs that tests start. No service of theirs is used or left running.
set -eu
# amtool comes with prometheus-alertmanager; fonts-dejavu-core so that Chromium has letters to draw.
wanted="chromium fonts-dejavu-core prometheus prometheus-alertmanager rsyslog rsyslog-gnutls"
missing=""
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "Debian packages are missing:$missing" >&2
    echo "Install them as root: apt-get install --no-install-recommends$missing" >&2
    exit 2
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
# A policy of "do not start" while they install: the tests start their own copies with their own settings.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
