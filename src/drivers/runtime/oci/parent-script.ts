/**
 * The parent of a container, in the shell that every machine has: it holds the container's mounts in a namespace of its own,
 * so that they go when the last process has gone, however that went; it waits, and leaves the exit code in a file. It
 * needs nothing from the server, which may come and go. It runs in the container's folder.
 *
 * Arguments: folder of the run, runtime, the runtime's state folder, id, options of the overlay, file that counts what the
 * kernel killed for want of memory, what standard input is, file that lists the processes of the cgroup that this one is in.
 *
 * Files in the folder of the run: `parent` (boot id and /proc/self/stat: who waits), `pid` (written by the runtime when the
 * container's process runs), `problem`, `runtime.log`, and last of all `exit`: code, kills, and an end of line.
 */
export const PARENT_SCRIPT = `
run=$1 runtime=$2 state=$3 id=$4 overlay=$5 kills=$6 input=$7 own=$8
# The kernel moves a process into a cgroup only after a grace period (about 10 ms), and the next ones at once. Moving one to
# where it is already has that wait go by while the mount is made and the runtime comes up, which would have it later.
echo 0 > "$own" &
read -r boot < /proc/sys/kernel/random/boot_id
read -r stat < /proc/self/stat
echo "$boot $stat" > "$run/parent"
end() { echo "$1 $2" > "$run/exit"; }
mount -t overlay -o "$overlay" overlay rootfs 2> "$run/problem" || { end 125 0; exit; }
# Volumes begin with what the image has there, the first time. The server has seen that no link is on the way.
if [ -e fill ]; then
  while IFS= read -r from && IFS= read -r to; do
    cp -a "rootfs$from/." "$to" 2>> "$run/problem" || { end 125 0; exit; }
  done < fill
  rm fill
fi
# Before 1.31, crun takes no machine that has controllers in both generations of cgroups.
case $runtime in *crun) [ -d /sys/fs/cgroup/unified ] && umount /sys/fs/cgroup/unified 2> /dev/null ;; esac
case $input in open | terminal) exec 0<> stdin ;; *) exec 0< /dev/null ;; esac
# The runtime passes on a terminal that it has; script(1) gives it one.
case $input in
terminal)
  export runtime state run id
  SHELL=/bin/sh script -q -e -f -c 'exec "$runtime" --root "$state" --log "$run/runtime.log" --log-format json run --keep --pid-file "$run/pid" --bundle . "$id"' /dev/null >> stdout 2>> stderr
  ;;
*) "$runtime" --root "$state" --log "$run/runtime.log" --log-format json run --keep --pid-file "$run/pid" --bundle . "$id" >> stdout 2>> stderr ;;
esac
code=$? killed=0
[ -r "$kills" ] && while read -r key value; do [ "$key" = oom_kill ] && killed=$value; done < "$kills"
end "$code" "$killed"
exec "$runtime" --root "$state" delete --force "$id" > /dev/null 2>&1
`;
