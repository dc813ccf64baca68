#!/bin/sh
# Makes a fresh clone ready, with only Node and npm there: the npm packages (Node 24 is one of them), then the system
# packages that setup.sh knows. Silent and instant when nothing is missing. What npm scripts call before they run.
#   bootstrap.sh [runtime|test]
set -eu
cd "$(dirname "$0")/.."

# The lock file that node_modules was made from, as a copy: times say nothing after a clone or a pull.
stamp=node_modules/.holdfast-lock

has_node() {
  node_modules/.bin/node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)' 2>/dev/null
}

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

if ! cmp -s package-lock.json "$stamp" || ! has_node; then
  echo 'Installing the npm packages that package-lock.json names, Node 24 among them ...' >&2
  # `npm install`, as `npm ci` refuses a lock file that was made where the registry had no packages for other systems.
  # Quiet, as an older Node's npm complains that Holdfast wants a newer one: that is what this installs.
  npm install --no-save --loglevel=error --no-audit --no-fund --no-update-notifier >&2 || fail 'npm install failed: see above.'
  has_node || npm rebuild node --loglevel=error >&2 || true
  has_node || fail 'The npm package "node" did not bring its Node 24: npm may be told not to run install steps.' \
    'Allow them (npm config delete ignore-scripts), or install Node 24 and run bin/holdfast with it.'
  cp package-lock.json "$stamp"
  is_new=yes
fi

sh scripts/setup.sh "${1:-runtime}"

# The first start translates and compiles the server: twice the time of a later one, and 25 MiB that it keeps as long as it
# lives. So the first one is here, on a port and in a folder of its own, and nobody's server is it.
compile() {
  folder=$(mktemp -d)
  env -i PATH="$PATH" HOLDFAST_DATA="$folder/data" HOLDFAST_PORT=0 bin/holdfast serve >"$folder/out" 2>&1 &
  server=$!
  tries=0
  while kill -0 $server 2>/dev/null && ! grep -q '^Holdfast ready' "$folder/out" && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  kill $server 2>/dev/null && wait $server
  rm -rf "$folder"
}

[ "${is_new:-no}" = no ] || compile || true
