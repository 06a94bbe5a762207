#!/bin/bash
# A Docker engine in a network and a mount namespace of its own: bridges, firewall rules, kernel settings and mounts
# end with them. Run by engine.py; the end of standard input is the end of the engine.
# $1: folder for the socket and what is of this engine alone; $2: folder with its images; $3: cgroup for containers.
set -euo pipefail
folder=$1 data=$2 group=$3
export DOCKER_HOST=unix://$folder/docker.sock

ip link set lo up
mount -t tmpfs tmpfs /run
mkdir "$folder/etc" "$folder/etc.work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$folder/etc,workdir=$folder/etc.work" /etc
options=(--oom-score-adjust 0)
# Bit 24 is CAP_SYS_RESOURCE (capabilities(7)).
if ! ((0x$(awk '/^CapBnd/ {print $2}' /proc/self/status) >> 24 & 1)); then
	options+=(--add-runtime "limited=$(dirname "$0")/runtime.sh" --default-runtime limited)
fi
dockerd --data-root "$data" --exec-root "$folder/exec" --pidfile "$folder/docker.pid" --host "$DOCKER_HOST" \
	--cgroup-parent "/$group" --storage-driver overlay2 "${options[@]}" >"$folder/dockerd.log" 2>&1 </dev/null &
engine=$!
until docker version >/dev/null 2>&1; do
	kill -0 "$engine" 2>/dev/null || exit 1
	sleep 0.1
done
echo ready
cat >/dev/null

docker ps --all --quiet | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
docker volume ls --quiet | xargs --no-run-if-empty docker volume rm --force >/dev/null
docker network prune --force >/dev/null
kill "$engine"
wait "$engine" || true
