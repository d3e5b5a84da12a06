#!/bin/sh
# Puts the docker command, buildx and compose v2 as Debian packages them since release 13 into .clients/ of the checkout,
# for the tests that need them: unpacked, not installed. On release 12 they come from the next release, whose place is
# derived from the machine's own apt sources; elsewhere from those sources as they are. Needs no root.
# With --daemon also its dockerd and containerd, which scripts/parity.ts takes from PATH.
set -eu
cd "$(dirname "$0")/.."

packages="docker-cli docker-buildx docker-compose"
programs="usr/bin/docker usr/libexec/docker/cli-plugins/docker-buildx usr/libexec/docker/cli-plugins/docker-compose"
if [ "${1:-}" = --daemon ]; then
  packages="$packages docker.io containerd"
  programs="$programs usr/sbin/dockerd usr/bin/containerd"
fi
complete() {
  for program in $programs; do [ -x "$1/$program" ] || return 1; done
}
if complete .clients; then exit 0; fi

give_up() {
  echo "no newer docker, buildx and compose ($packages): $1; tests that need them are skipped" >&2
  exit 1
}
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "this machine has no apt"
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case $release in
  bookworm) wanted=trixie ;;
  *) wanted=$release ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/parts" "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/packages" "$scratch/root"

# Stanzas that list the release itself, for the wanted one alone (its updates add nothing that is needed here).
for file in /etc/apt/sources.list.d/*.sources; do
  [ -e "$file" ] && awk -v release="$release" -v wanted="$wanted" '
    function finish() { if (kept && !off) printf "%s\n", stanza; stanza = field = ""; kept = off = 0 }
    /^#/ { next }
    /^[ \t]*$/ { finish(); next }
    /^[^ \t]/ { field = tolower($0); sub(/:.*/, "", field) }
    field == "enabled" && tolower($0) ~ /: *(no|false|off|0) *$/ { off = 1 }
    field == "suites" {
      for (i = 1; i <= NF; i++) if ($i == release || $i == "Suites:" release) kept = 1
      if (/^[^ \t]/) stanza = stanza "Suites: " wanted "\n"
      next
    }
    { stanza = stanza $0 "\n" }
    END { finish() }' "$file"
done >"$scratch/parts/wanted.sources" || true
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ -e "$file" ] && sed -nE "s/^[ \t]*(deb[ \t]+(\[[^]]*\][ \t]+)?[^ \t]+)[ \t]+$release[ \t]/\1 $wanted /p" "$file"
done >"$scratch/parts/wanted.list" || true
[ -s "$scratch/parts/wanted.sources" ] || [ -s "$scratch/parts/wanted.list" ] ||
  give_up "apt's sources do not name ${release:-a release}"

apt() {
  apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$scratch/parts" -o APT::Default-Release= \
    -o Dir::State::lists="$scratch/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$scratch/cache" \
    -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=3 "$@" >&2
}
echo "fetching $packages of $wanted"
apt update || give_up "apt-get update failed"
# shellcheck disable=SC2086 # a list of names
(cd "$scratch/packages" && apt download $packages) || give_up "apt-get download failed"
for package in "$scratch"/packages/*.deb; do dpkg-deb -x "$package" "$scratch/root"; done
complete "$scratch/root" || give_up "the packages of $wanted lack one of: $programs"
rm -rf .clients
mv "$scratch/root" .clients
