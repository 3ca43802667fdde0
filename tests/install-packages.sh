#!/bin/sh
# Installs the Debian packages that the tests talk to. Without root it says what is missing, and the tests that need
# it are skipped. Services that a package would start are kept down: the tests start their own, on loopback.
# Arguments are further packages, which `make bench` compares botd with.
set -eu
packages="apache2-bin bindfs busybox chromium debootstrap elinks fping groff-base ipmitool iproute2 iptables iputils-ping lynx mariadb-server-core munge nginx openipmi openssh-server postgresql procps prometheus redis-server slurm-client slurm-wlm-mysql-plugin slurmctld slurmd slurmdbd sudo systemd w3m zsh"

missing=""
for package in $packages "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed, so the tests that need them are skipped:$missing (as root, make test installs them)"
    exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086 # one word per package
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
