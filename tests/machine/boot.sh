#!/bin/bash
# boot.sh ROOT NAME INIT: run INIT as PID 1 of a machine of its own whose files are ROOT.
set -eu
export root=$1 name=$2 init=$3
# A control group of its own, so that systemd finds an empty hierarchy.
for hierarchy in /sys/fs/cgroup/unified /sys/fs/cgroup; do
    if [ "$(stat -f -c %T $hierarchy 2>/dev/null)" = cgroup2fs ]; then
        mkdir -p "$hierarchy/$name"
        echo $$ > "$hierarchy/$name/cgroup.procs"
        break
    fi
done
exec unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child --propagation private bash -euc '
hostname "$name"
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty kvm net/tun fuse; do
    [ -e "/dev/$device" ] || continue
    mkdir -p "dev/$(dirname "$device")"
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t cgroup2 cgroup2 sys/fs/cgroup
rm -f booted
mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
touch /booted
eval "exec env -i container=clearsky PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=linux $init"
'
