#!/bin/bash
# The first process of a node: mounts and cgroups, containerd with the images, then the kubelet whenever kubeadm has
# written what it needs. There is no systemd; kubeadm sees none and leaves the kubelet to this.
set -u
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

say() { echo "init: $*"; }

again() { # keep a program running, with its output in a log
	local name=$1
	shift
	while :; do
		"$@" >>"/var/log/$name.log" 2>&1
		say "$name ended with $?"
		sleep 1
	done
}

[ -d /sys/fs/cgroup/memory ] || { say "made for cgroup v1 alone"; exit 1; }
mount --make-rshared /
mkdir -p /run/lock /var/log/pods /var/lib/kubelet /etc/kubernetes/manifests
touch /var/log/containerd.log /var/log/kubelet.log /var/log/pod-network.log
sysctl -qw net.ipv4.ip_forward=1
hostname | md5sum | cut -c1-32 >/etc/machine-id

# kind's kubeadm configuration names /kubelet as the root of all cgroups; kubelet wants it to be there.
for tree in /sys/fs/cgroup/*/; do
	[ -L "${tree%/}" ] || [ "$tree" = /sys/fs/cgroup/unified/ ] && continue
	mkdir -p "${tree}kubelet"
	for file in cpuset.cpus cpuset.mems; do
		[ ! -e "$tree$file" ] || cat "$tree$file" >"${tree}kubelet/$file"
	done
done

# Docker's resolver listens where no pod can reach it. Names of the cluster need none, and on the node's own address
# nobody listens, so that every other name fails at once.
address=$(ip -4 -o addr show dev eth0 | awk '{sub("/.*", "", $4); print $4; exit}')
echo "nameserver $address" >/run/pod-resolv.conf

again containerd containerd &
until ctr version >/dev/null 2>&1; do sleep 0.1; done
# What `kind create cluster` waits for.
echo "detected cgroup v1"
for archive in /kind/images/*.tar; do
	ctr -n k8s.io images import --all-platforms --local "$archive" >>/var/log/import.log 2>&1 || {
		say "$archive could not be imported:"
		cat /var/log/import.log
	}
done
say "images imported"
again pod-network pod-network &

until [ -s /var/lib/kubelet/config.yaml ] && [ -s /var/lib/kubelet/kubeadm-flags.env ]; do sleep 0.1; done
# Pods in the node's network get its /etc/hosts, and kube-proxy has to find the control plane by its name there.
endpoint=$(awk '$1 == "controlPlaneEndpoint:" || $1 == "apiServerEndpoint:" {gsub(/"|:[0-9]+"?$/, "", $2); print $2; exit}' /kind/kubeadm.conf)
getent ahostsv4 "$endpoint" | awk -v name="$endpoint" '{print $1, name; exit}' >>/etc/hosts
KUBELET_KUBEADM_ARGS=
. /var/lib/kubelet/kubeadm-flags.env
# shellcheck disable=SC2086 # a list of flags
again kubelet kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
	--kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml \
	--config-dir=/kind/kubelet.d $KUBELET_KUBEADM_ARGS
