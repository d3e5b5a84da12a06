#!/bin/sh
# Installs what Strake needs and is missing: Debian packages (as root), npm packages, the bundle in dist/.
# With --tests also the programs that the tests and benchmarks drive.
set -eu
cd "$(dirname "$0")/.."

# program:package pairs
needed="crun:crun runc:runc iptables:iptables xz:xz-utils bzip2:bzip2 zstd:zstd debootstrap:debootstrap tini-static:tini"
if [ "${1:-}" = --tests ]; then
  needed="$needed dockerd:docker.io buildah:buildah skopeo:skopeo podman:podman docker-registry:docker-registry docker-compose:docker-compose"
  needed="$needed pgbouncer:pgbouncer radosgw:radosgw ceph-mon:ceph-mon ceph-osd:ceph-osd"
  needed="$needed busybox:busybox-static curl:curl openssl:openssl git:git python3:python3 ip:iproute2 nft:nftables ps:procps dot:graphviz chromium:chromium ssh-agent:openssh-client"
fi

missing=""
for pair in $needed; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair##*:}"
done
# Images of the tests hold busybox alone: it must not need libraries.
if [ "${1:-}" = --tests ] && ldd "$(command -v busybox)" >/dev/null 2>&1; then missing="$missing busybox-static"; fi
# The tests that are written in Python run in Debian's own.
if [ "${1:-}" = --tests ] && ! /usr/bin/python3 -c 'import docker' >/dev/null 2>&1; then missing="$missing python3-docker"; fi
# A server's programs, which tests start by themselves: no database of the machine's own is made, and no service runs,
# nor one of the pooler.
if [ "${1:-}" = --tests ] && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  missing="$missing postgresql"
  if [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
fi
case "$missing" in
  *pgbouncer*)
    if [ "$(id -u)" = 0 ] && [ -d /etc/systemd/system ] && [ ! -e /etc/systemd/system/pgbouncer.service ]; then
      ln -s /dev/null /etc/systemd/system/pgbouncer.service
    fi
    ;;
esac
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "missing packages:$missing; run as root, or: sudo apt-get install$missing" >&2
    exit 1
  fi
  echo "installing:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of names
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# Without them the tests that need them are skipped, and say so.
if [ "${1:-}" = --tests ]; then sh scripts/newer-clients.sh || true; fi

npm install --no-save --no-fund --no-audit --loglevel=error # not ci: the lock leaves out platforms that some registries lack
# The scripts of package.json need this Node, and some versions of npm do not link it (9.2, of Debian 13).
for program in node_modules/node-linux-*/bin/node; do
  if [ -x "$program" ] && [ ! -e node_modules/.bin/node ]; then ln -s "../${program#node_modules/}" node_modules/.bin/node; fi
done
npm run --silent build
