#!/bin/sh
# The main job on real input: a Debian base image from debootstrap, an image built on it with apt-get, a run of the result.
set -eu
cd "$(dirname "$0")/.."
strake=$PWD/bin/strake
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
run() { say "strake $*"; "$strake" "$@"; }

if ! "$strake" image inspect debian:bookworm >/dev/null 2>&1; then
  say 'debootstrap --variant=minbase bookworm root && tar -C root -c . | strake import - debian:bookworm'
  debootstrap --variant=minbase bookworm "$work/root" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
  tar -C "$work/root" -c . | "$strake" import - debian:bookworm
fi

mkdir "$work/ntp"
cat >"$work/ntp/Dockerfile" <<'EOF'
FROM debian:bookworm
MAINTAINER The Strake team
RUN apt-get update
RUN apt-get -y --no-install-recommends install ntpsec
EXPOSE 123/udp
CMD ["ntpd", "--version"]
EOF
say 'cat Dockerfile' && cat "$work/ntp/Dockerfile"
run build -t ntp "$work/ntp"
say 'the same again: every step comes from the cache'
run build -t ntp "$work/ntp"
run images
run history ntp
run run --rm ntp
run run --rm ntp cat /etc/os-release
printf '\nStrake works. Its images are in the store now; try: bin/strake run -it --rm ntp bash\n'
