#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Archives: who may sees the data of deleted volumes through the API server, has them again in a new
# claim, and deletes them; nobody else does.
set -euo pipefail
# shellcheck source=tests/e2e/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=tests/e2e/plugin.sh
. "$(dirname "$0")/plugin.sh"

base=/var/lib/ordinal
rbac=$project/deploy/host-path/rbac.yaml
ns=e2e-archives

rights() { kube -n ordinal-system apply -f - >/dev/null; }
more_rights() { sed '/^  # - apiGroups: \[auth/,/^---/ s/^  # /  /' "$rbac" | rights; } # as a user would

# shellcheck disable=SC2034 # common.sh uses it
at_end=(without_archives)
without_archives() {
  plugin_clean
  kube delete clusterrole,clusterrolebinding -l e2e=yes >/dev/null 2>&1
  kube -n ordinal-system delete service $ns --ignore-not-found >/dev/null
  kube delete namespace $ns-other --ignore-not-found --wait=false >/dev/null
  rights <"$rbac"
  without_flag --archives
}

# account NAME VERB...: a ServiceAccount that may do so much to PersistentVolumes
account() {
  local name=$1 verb verbs=()
  shift
  kube create serviceaccount "$name" >/dev/null
  [ $# -gt 0 ] || return 0
  for verb; do verbs+=("--verb=$verb"); done
  kube create clusterrole "e2e-$name" "${verbs[@]}" --resource=persistentvolumes >/dev/null
  kube create clusterrolebinding "e2e-$name" --clusterrole="e2e-$name" --serviceaccount="$ns:$name" >/dev/null
  kube label clusterrole,clusterrolebinding "e2e-$name" e2e=yes >/dev/null
}
token_of() { # ACCOUNT
  kube create --raw "/api/v1/namespaces/$ns/serviceaccounts/$1/token" -f - <<<'{
    "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}' |
    jq -r .status.token
}

archive() { # TOKEN WORD...
  local token=$1
  shift
  ORDINAL_TOKEN=$token ordinal archive "$@"
}
list() { archive "$1" list -n $ns -o json; }                                      # TOKEN
listed() { list "$1" && [ "$(printed '.archives | length')" = "$2" ]; }            # TOKEN COUNT
of_replica() { printed -r ".archives[] | select(.ordinal == $1) | .$2"; }          # ORDINAL FIELD
archived() { echo "$base/.ordinal/archive/$ns/web/data-$1"; }                     # ORDINAL
archive_holds() { [ "$(node_files sh -c "cat $(archived "$1")/*/name")" = "$2" ]; } # ORDINAL TEXT
# VERB: kubectl's words for 401
service_refuses() {
  contains "$(kube "$1" --raw "/api/v1/namespaces/ordinal-system/services/$ns:9809/proxy/archives?id=$first" 2>&1)" \
    "must be logged in"
}

begin $ns
class $ns '{onDelete: archive}'
class $ns-now '{onDelete: archive}' Delete Immediate
account outsider
account reader list
account keeper list delete
outsider=$(token_of outsider) reader=$(token_of reader) keeper=$(token_of keeper)

chapter "Off by default"
check "without --archives there are none" exits 1 archive "$keeper" list
check "in words" said "serves no archives"
with_flag --archives
check "without its two rights the provisioner shows none" exits 1 archive "$keeper" list
check "and says which it lacks" said tokenreviews
more_rights
wait_for 60 "with the rights that rbac.yaml names they are listed" archive "$keeper" list

chapter "A set is deleted with its claims: its data are in the archive"
SET_CLASS=$ns set_of web data
wait_for 180 "the set is ready" set_ready web
volume=$(volume_of data-web-1)
kube delete statefulset web >/dev/null
kube delete pod -l set=web --grace-period=0 --force >/dev/null 2>&1 || :
kube delete pvc -l set=web --wait=false >/dev/null
wait_for 120 "its volumes are gone" no_volumes_here
wait_for 60 "two archives are listed to who may list volumes" listed "$reader" 2
check_equal "with the replica's set" web "$(of_replica 1 statefulset)"
check_equal "template" data "$(of_replica 1 template)"
check_equal "size" 1048576 "$(of_replica 1 sizeBytes)"
check_equal "node" node-1 "$(of_replica 1 node)"
check "and path" contains "$(of_replica 1 path)" "$(archived 1)/"
check "its data are those of replica 1" archive_holds 1 web-1
first=$(of_replica 0 id) second=$(of_replica 1 id)
check "the table has them, too" archive "$reader" list -n $ns
check "by their ids" said "$second"
cat "$plugin_dir/out"

chapter "Who may not, does not"
check "without a token" exits 1 ordinal archive list
check "one is asked for" said ORDINAL_TOKEN
check "a token of nobody" exits 1 archive no.such.token list
check "is not known" said "not valid in this cluster"
check "who may not list volumes" exits 1 archive "$outsider" list
check "is told so" said "system:serviceaccount:$ns:outsider may not list persistentvolumes"
check "who may only list" exits 1 archive "$reader" rm "$first" --yes
check "deletes nothing" said "system:serviceaccount:$ns:reader may not delete persistentvolumes"
kube -n ordinal-system create service clusterip $ns --tcp=9809 >/dev/null
kube -n ordinal-system set selector service $ns app.kubernetes.io/name=ordinal-hostpath >/dev/null
wait_for 60 "the API server's own admin, through a Service, has no token either" service_refuses get
check "nor to delete" service_refuses delete
check "the archive is as it was" archive_holds 0 web-0

chapter "kubectl ordinal archive restore: replica 1 has its data back"
check "without the set, the class has to be named" exits 1 archive "$reader" restore "$second"
check "in words" said "say which with --class"
check "with it the replica's claim is made" archive "$reader" restore "$second" --class $ns
check "under its name" said persistentvolumeclaim/data-web-1
check "a second time it is not touched" exits 1 archive "$reader" restore "$second" --class $ns
check "as it exists" said "claim $ns/data-web-1 exists, and is not touched"
SET_CLASS=$ns set_of web data
wait_for 180 "created again, the set is ready" set_ready web
wait_for 20 "replica 1 goes on with its data" holds "$base/$ns/web/data-1/name" $'web-1\nweb-1'
check "replica 0 starts afresh" holds "$base/$ns/web/data-0/name" web-0
check "by a volume of its own" test "$(volume_of data-web-1)" != "$volume"
check "the archive stays" archive_holds 1 web-1

chapter "The annotation ordinal.dev/restore-from: a new claim begins with the data"
CLAIM_NOTES="{ordinal.dev/restore-from: '$second'}" claim copy $ns
pod reader copy 'cat /data/name > /data/read; sleep 1000000000'
wait_for 120 "a pod has it" pod_ready reader
check_equal "and reads the data" web-1 "$(kube exec reader -- cat /data/read)"
CLAIM_NOTES="{ordinal.dev/restore-from: '$second'}" claim small $ns-now 4Ki
wait_for 60 "a claim that asks for less is refused" event_says small ProvisioningFailed "1048576"
CLAIM_NOTES="{ordinal.dev/restore-from: 'a:AAAAAAAAAAAAAAAAAAAAAA::$base'}" claim unknown $ns-now
wait_for 60 "so is an archive that there is not" event_says unknown ProvisioningFailed "there is no such snapshot"
kube create namespace $ns-other >/dev/null
CLAIM_NOTES="{ordinal.dev/restore-from: '$second'}" story_namespace=$ns-other claim thief $ns-now
says_elsewhere() { story_namespace=$ns-other event_says thief ProvisioningFailed "namespace"; }
wait_for 60 "and a claim of another namespace" says_elsewhere

chapter "kubectl ordinal archive rm: one archive is deleted, the other is not"
check "nobody can be asked here" exits 1 archive "$keeper" rm "$first"
check "so --yes is asked for" said "give --yes"
check "with it the archive is deleted" archive "$keeper" rm "$first" --yes
check "from the disk, too" node_lacks "$(archived 0)"
check "only the other is listed" listed "$keeper" 1
check "the other is as it was" archive_holds 1 web-1
check "a second time there is none" exits 1 archive "$keeper" rm "$first" --yes
check "in words" said "there is no archive"
check "the log says who it was" contains \
  "$(kube -n ordinal-system logs -l app.kubernetes.io/name=ordinal-hostpath -c provisioner --tail=-1)" \
  "archive $first deleted, as system:serviceaccount:$ns:keeper asked"
check "the other goes, too" archive "$keeper" rm "$second" --yes
check "what was restored from it stays" holds "$base/$ns/web/data-1/name" $'web-1\nweb-1'

kube delete statefulset web >/dev/null
kube delete pod --all --grace-period=0 --force >/dev/null 2>&1 || :
kube delete pvc --all --wait=false >/dev/null
wait_for 120 "deleted, no volume is left" no_volumes_here
node_files sh -c "rm -rf $base/.ordinal/archive/$ns"
summary
