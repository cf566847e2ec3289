# The nameservers of the pod, and the domain that its namespace's Services are in.
{
	printf 'resolver'
	while read -r word first _; do
		case $word:$first in
		nameserver:*:*) printf ' [%s]' "$first" ;;
		nameserver:*) printf ' %s' "$first" ;;
		search:*) domain=$first ;;
		esac
	done </etc/resolv.conf
	printf ' valid=2s;\nmap "" $pods_domain { default %s; }\n' "$domain"
} >/tmp/resolver.conf
