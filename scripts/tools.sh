# shellcheck shell=bash
# What the tests need beside Rust and a C compiler, and how it gets here. Sourced by the scripts beside it.
#
# Programs come from the system's packages, and only when they are missing; Python and Node packages go to a folder of
# ours, ${BURSAR_TOOLS:-~/.cache/bursar-tools}, in the versions that scripts/tools/ names. Everything that is installed is
# said. A tool that cannot be had makes its function fail; the caller then says what it skips.

BURSAR_TOOLS="${BURSAR_TOOLS:-${HOME:?}/.cache/bursar-tools}"
BURSAR_PYTHON="$BURSAR_TOOLS/python/bin/python"
BURSAR_NODE_PACKAGES="$BURSAR_TOOLS/node/node_modules"
export BURSAR_TOOLS BURSAR_PYTHON BURSAR_NODE_PACKAGES

tools_here="$(cd "$(dirname "${BASH_SOURCE[0]}")/tools" && pwd)"
tools_node_major_min=18
tools_apt_updated=no

say() { printf '== %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or through sudo. Fails where neither is possible.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    say "neither root nor sudo: cannot run $*"
    return 1
  fi
}

# Installs Debian packages by name, the lists brought up to date once.
apt_install() {
  have apt-get || { say "no apt-get here: install yourself: $*"; return 1; }
  say "installing by apt: $*"
  if [ "$tools_apt_updated" = no ]; then
    # One source that does not answer must not keep a package of another from coming.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update ||
      say "apt-get update complained; going on with the lists there are"
    tools_apt_updated=yes
  fi
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install "$@" >/dev/null
}

# A folder is as its list says when it holds a copy of that list, written last.
up_to_date() { cmp -s "$1" "$2"; }

# Python in an environment of its own, with the packages of scripts/tools/python.txt.
need_python() {
  local want="$tools_here/python.txt" home="$BURSAR_TOOLS/python"
  up_to_date "$want" "$home/installed.txt" && return 0
  if ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
    apt_install python3 python3-venv python3-pip || return 1
  fi
  say "installing Python packages in $home: $(grep -v '^#' "$want" | tr '\n' ' ')"
  rm -rf "$home" && mkdir -p "$BURSAR_TOOLS" || return 1
  python3 -m venv "$home" || return 1
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$want" || return 1
  cp "$want" "$home/installed.txt"
}

# Node with the packages of scripts/tools/node.json, in $BURSAR_NODE_PACKAGES.
need_node() {
  local want="$tools_here/node.json" home="$BURSAR_TOOLS/node" major
  have node && have npm || apt_install nodejs npm || return 1
  major="$(node -p 'process.versions.node.split(".")[0]')" || return 1
  if [ "$major" -lt "$tools_node_major_min" ]; then
    say "node $major is too old: $tools_node_major_min or newer is needed"
    return 1
  fi
  up_to_date "$want" "$home/installed.json" && return 0
  say "installing Node packages in $home: $(node -p 'Object.entries(require(process.argv[1]).dependencies).map(p => p.join("@")).join(" ")' "$want")"
  rm -rf "$home" && mkdir -p "$home" && cp "$want" "$home/package.json" || return 1
  (cd "$home" && npm install --loglevel=error --no-audit --no-fund --no-package-lock --ignore-scripts) || return 1
  cp "$want" "$home/installed.json"
}

# A Chromium of the system, its path in $BURSAR_CHROMIUM.
need_chromium() {
  BURSAR_CHROMIUM="${BURSAR_CHROMIUM:-$(find_chromium)}"
  if [ -z "$BURSAR_CHROMIUM" ]; then
    apt_install chromium chromium-driver fonts-dejavu-core ||
      apt_install chromium-browser chromium-chromedriver fonts-dejavu-core || return 1
    BURSAR_CHROMIUM="$(find_chromium)"
  fi
  export BURSAR_CHROMIUM
  [ -x "$BURSAR_CHROMIUM" ] || { say "no Chromium: set BURSAR_CHROMIUM to one"; return 1; }
}

find_chromium() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if have "$name"; then
      command -v "$name"
      return 0
    fi
  done
}
