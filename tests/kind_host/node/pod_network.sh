#!/bin/bash
# The pod network of a node: its own range for its pods, and a route to each other node's. Started again when it ends.
set -u
kubeconfig=/etc/kubernetes/kubelet.conf
until [ -s "$kubeconfig" ]; do sleep 0.2; done
here=$(hostname)
subnet=$(ip -4 route show dev eth0 scope link | awk '{print $1; exit}')
pods=$(awk '$1 == "podSubnet:" {gsub(/"/, "", $2); print $2; exit}' /kind/kubeadm.conf)
: "${pods:=10.244.0.0/16}"
columns='{.metadata.name} {.spec.podCIDR} {.status.addresses[?(@.type=="InternalIP")].address}{"\n"}'

own() { # our range: what leaves the cluster leaves with the node's address
	nft -f - <<-RULES
		table ip pod-network {}
		delete table ip pod-network
		table ip pod-network {
			chain leaving {
				type nat hook postrouting priority srcnat + 10
				ip saddr $1 oifname "eth0" ip daddr != { $subnet, $pods } masquerade
			}
		}
	RULES
	cat >/etc/cni/net.d/.10-pods.new <<-CONFIG
		{"cniVersion": "1.0.0", "name": "pods", "plugins": [
		  {"type": "ptp", "mtu": $(cat /sys/class/net/eth0/mtu), "ipam": {
		    "type": "host-local", "dataDir": "/run/cni", "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "$1"}]]}},
		  {"type": "portmap", "capabilities": {"portMappings": true}}]}
	CONFIG
	mv /etc/cni/net.d/.10-pods.new /etc/cni/net.d/10-pods.conflist
}

kubectl --kubeconfig "$kubeconfig" get nodes --watch -o "jsonpath=$columns" |
	while read -r name range address; do
		case $range in */*) ;; *) continue ;; esac
		if [ "$name" = "$here" ]; then
			[ -e /etc/cni/net.d/10-pods.conflist ] || own "$range"
		elif [ -n "$address" ]; then
			ip route replace "$range" via "$address"
		fi
	done
