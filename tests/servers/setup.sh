#!/bin/sh
# Makes a server of the bare Debian in the folder $1: NAME, its ADDRESS and MAC on the cable to the
# other server, and its user `you`, who may log in with the key PUBLIC and use sudo.
set -eu
root=$1

echo "$NAME" > "$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$NAME" > "$root/etc/hosts"
# not a first boot, at which systemd would ask questions
chroot "$root" systemd-machine-id-setup > /dev/null

cat > "$root/etc/systemd/network/outside.network" <<'END'
[Match]
MACAddress=52:54:00:00:00:01
[Network]
DHCP=ipv4
END
cat > "$root/etc/systemd/network/cable.network" <<END
[Match]
MACAddress=$MAC
[Network]
Address=$ADDRESS/24
END
chroot "$root" systemctl --quiet enable systemd-networkd
# what would come in between on a machine that has little time
for timer in apt-daily apt-daily-upgrade dpkg-db-backup fstrim e2scrub_all; do
    ln -sf /dev/null "$root/etc/systemd/system/$timer.timer"
done

# by the line of docs/servers.md, with what Debian recommends: the docker command and AppArmor
chroot "$root" apt-get install --option APT::Install-Recommends=true --quiet=2 --yes docker.io > /dev/null
rm -f "$root"/var/cache/apt/archives/*.deb

chroot "$root" useradd --create-home --shell /bin/bash you
echo 'you ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/you"
chroot "$root" install -d -m 700 -o you -g you /home/you/.ssh
echo "$PUBLIC" > "$root/home/you/.ssh/authorized_keys"
# the prompt that tests wait for
{ echo '[[ $- == *i* ]] || return'; echo "$PROMPT"; } > "$root/home/you/.bashrc"
chroot "$root" chown you:you /home/you/.ssh/authorized_keys /home/you/.bashrc
rm -f "$root"/etc/ssh/ssh_host_*
chroot "$root" ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
