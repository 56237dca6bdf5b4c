# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Names of services and of the endpoints of headless services: dnsmasq, fed by a watch of each.

dns=$lab_scratch/dns

dns_start() {
  mkdir -p "$dns/hosts"
  daemon dnsmasq dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file="$dns/pid" \
    --listen-address="$lab_address" --bind-interfaces --no-resolv --no-hosts --addn-hosts="$dns/hosts" \
    --local=/cluster.local/ --local=/in-addr.arpa/ --log-facility=-
  # shellcheck disable=SC2016 # jq's variables
  dns_feed services '[.object.spec.clusterIP // "" | select(. != "" and . != "None")
    | "\(.) \($name)"]'
  # shellcheck disable=SC2016
  dns_feed endpoints '[.object | select(.metadata.labels["service.kubernetes.io/headless"] != null)
    | .subsets[]?.addresses[]? | "\(.ip) \($name)", (select(.hostname) | "\(.ip) \(.hostname).\($name)")]'
}

# dns_feed RESOURCE RECORDS: keep one hosts file as the resource is. RECORDS is a jq filter from an
# event to its lines of the file.
dns_feed() { daemon "dns-$1" "$lab_program" __run dns_follow "$1" "$2"; }

# Each watch begins with an event for every object there is, so it needs no list, and one that ended
# is just begun anew.
dns_follow() {
  local name records changed='' timeout
  declare -A hosts=()
  # shellcheck disable=SC2016
  api get --raw "/api/v1/$1?watch=true" | jq --unbuffered -r '
    "\(.object.metadata | "\(.name).\(.namespace)").svc.cluster.local" as $name
    | [$name, if .type == "DELETED" then "" else ('"$2"' | join(";")) end] | @tsv' |
    while :; do
      timeout=${changed:+0.05} # publish as soon as nothing more comes
      if IFS=$'\t' read -r ${timeout:+-t $timeout} name records; then
        hosts[$name]=$records
        changed=1
      elif [ -n "$changed" ]; then
        printf '%s\n' "${hosts[@]}" | tr ';' '\n' >"$dns/$1.new"
        mv "$dns/$1.new" "$dns/hosts/$1"
        kill -HUP "$(<"$dns/pid")" || true # not up yet: it will read the file by itself
        changed=
      else
        return # end of the watch
      fi
    done
}
