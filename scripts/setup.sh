#!/bin/sh
# Installs the system packages that Holdfast uses, with apt, as root or through `sudo -n`.
#   setup.sh runtime   what running tasks needs; without it the server starts all the same and says what it cannot do
#   setup.sh test      also the real clients and servers that the tests use
# Names what it will install before it does; silent and instant when nothing is missing. HOLDFAST_SETUP=off turns it off.
# Starts no service. Ends with 1 only when CI=true and something for the tests is missing.
set -eu

[ "${HOLDFAST_SETUP:-on}" != off ] || exit 0
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin
what=${1:-runtime}

# Only where containers can be: elsewhere (macOS, say) the simulated runtime and the registry need nothing.
[ "$(uname -s)" = Linux ] || exit 0

missing=
need() { # need PACKAGE PROGRAM
  command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

case $what in
  runtime | test)
    # Debian 12 has a crun older than its repairs, which the engine refuses; its runc has them backported.
    need runc runc
    need iproute2 ip
    need nftables nft
    need bsdutils script
    need busybox-static busybox
    need attr setfattr
    ;;
  *)
    echo "usage: setup.sh [runtime|test]" >&2
    exit 2
    ;;
esac
if [ "$what" = test ]; then
  need skopeo skopeo
  need podman podman
  need awscli aws
  need docker.io dockerd
  need docker-registry docker-registry
  need wrk wrk
  need kubernetes-client kubectl
  need faketime faketime
  set -- /usr/lib/postgresql/*/bin/postgres
  [ -x "$1" ] || missing="$missing postgresql"
fi
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
missing=${missing# }
missing=${missing% }
[ -n "$missing" ] || exit 0

give_up() {
  {
    echo "Missing system packages: $missing"
    echo "  $1"
    if [ "$what" = test ]; then
      echo '  Tests that need them are skipped.'
    else
      echo '  The registry works without them; running tasks may not. See: bin/holdfast doctor'
    fi
  } >&2
  if [ "$what" = test ] && [ "${CI:-}" = true ]; then exit 1; fi
  exit 0
}

command -v apt-get >/dev/null 2>&1 || give_up 'This machine has no apt: install them, or their like, with its own package manager.'
if [ "$(id -u)" = 0 ]; then
  as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
  as_root='sudo -n'
else
  give_up "Not root, and no sudo without a password. Install them with: sudo apt-get install $missing"
fi

echo "Installing with apt: $missing   (HOLDFAST_SETUP=off to go without)" >&2

# Nothing that is installed here may start by itself: tests start what they need, where they need it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
  trap '$as_root rm -f "$policy"' EXIT INT TERM
fi

log=$(mktemp)
apt_get() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >"$log" 2>&1
}
install() {
  apt_get install --no-install-recommends $missing
}
# The lists of packages may be absent or old: they are fetched only when it does not work without.
if ! install && ! { apt_get update && install; }; then
  tail -n 15 "$log" >&2
  rm -f "$log"
  give_up "apt could not install them: see above."
fi
rm -f "$log"
