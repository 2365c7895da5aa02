#!/usr/bin/env bash
# Runs guest.py against the true v4l2loopback driver: a small virtual machine (software emulation, no KVM needed) with
# Debian's kernel and module, which sees this machine's files read-only below an overlay. Needs root on Debian or Ubuntu.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

packages="qemu-system-x86 linux-image-amd64 linux-headers-amd64 v4l2loopback-dkms busybox-static cpio kmod"
# shellcheck disable=SC2086
dpkg -s $packages >/dev/null 2>&1 || {
  [ "$(id -u)" = 0 ] || { echo "make test-vcam needs these packages: sudo apt install $packages" >&2; exit 1; }
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
}
kernel=$(basename "$(ls -d /lib/modules/*-amd64 | sort -V | tail -n 1)")

mkdir -p "$work"/initrd/{bin,mod,proc,sys,dev,host,root,tmp}
cp /bin/busybox "$work/initrd/bin/"
: >"$work/initrd/mod/list"
for module in virtio_pci 9pnet_virtio 9p overlay videodev v4l2loopback; do
  /sbin/modprobe -S "$kernel" --show-depends "$module" | while read -r how path _; do
    [ "$how" = insmod ] || continue
    name=$(basename "$path")
    grep -qx "$name" "$work/initrd/mod/list" && continue
    cp "$path" "$work/initrd/mod/"
    echo "$name" >>"$work/initrd/mod/list"
  done
done
cat >"$work/initrd/init" <<EOF
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc; \$b mount -t sysfs sys /sys; \$b mount -t devtmpfs dev /dev
while read m; do
  case \$m in
    v4l2loopback.ko*) \$b insmod /mod/\$m video_nr=10,11 card_label=mimicam,plain exclusive_caps=1,0 ;;
    *) \$b insmod /mod/\$m ;;
  esac
done </mod/list
\$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /host
\$b mount -t tmpfs tmp /tmp; \$b mkdir /tmp/upper /tmp/work
\$b mount -t overlay overlay -o lowerdir=/host,upperdir=/tmp/upper,workdir=/tmp/work /root
\$b mount -t proc proc /root/proc
for d in sys dev; do \$b mount --bind /\$d /root/\$d; done
\$b mkdir -p /root/dev/shm; \$b mount -t tmpfs shm /root/dev/shm
\$b ifconfig lo 127.0.0.1
\$b chroot /root /bin/bash -c "cd '$root' && HOME=/root '$root/.venv/bin/python' -m tests.vcam.guest" 2>&1
\$b poweroff -f
EOF
chmod +x "$work/initrd/init"
(cd "$work/initrd" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$work/initrd.gz"

timeout 1500 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 6G -nographic -no-reboot \
  -kernel "/boot/vmlinuz-$kernel" -initrd "$work/initrd.gz" -append "console=ttyS0 rdinit=/init quiet" \
  -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap </dev/null | tee "$work/log"
grep -q '^vcam: all good' "$work/log"
