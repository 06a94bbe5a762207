#!/bin/sh
# runc for a root user who lacks CAP_SYS_RESOURCE: a privileged container asks for every capability there is, and
# runc refuses what it cannot give. That one is taken out of the container's (create) or process' (exec) description.
before='' description=''
for word; do
	case $before in
	--bundle | -b) description=$word/config.json ;;
	--process | -p) description=$word ;;
	esac
	before=$word
done
[ -z "$description" ] || sed -i 's/"CAP_SYS_RESOURCE",//g; s/,"CAP_SYS_RESOURCE"//g' "$description"
exec runc "$@"
