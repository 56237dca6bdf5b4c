# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Keys, certificates and kubeconfigs; all but the admin's kubeconfig lie in the lab's own tmpfs.

pki=$lab_scratch/pki

# openssl, with its chatter in a log
pki_openssl() { openssl "$@" 2>>"$lab_logs/openssl.log"; }

pki_authority() {
  pki_openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=lab \
    -keyout "$pki/ca.key" -out "$pki/ca.crt"
  pki_openssl ecparam -name prime256v1 -genkey -noout -out "$pki/service-accounts.key"
  pki_openssl ec -in "$pki/service-accounts.key" -pubout -out "$pki/service-accounts.pub"
}

# pki_certificate FILE SUBJECT [ALTERNATIVE NAMES]
pki_certificate() {
  pki_openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$2" \
    -keyout "$pki/$1.key" -out "$pki/$1.csr"
  pki_openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 3650 \
    -extfile <(echo "subjectAltName=${3:-DNS:$1}") -out "$pki/$1.crt"
}

# pki_kubeconfig NAME SUBJECT FILE: a certificate and the kubeconfig that carries it.
pki_kubeconfig() {
  pki_certificate "$1" "$2"
  (
    umask 077
    cat >"$3" <<END
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "https://$lab_address:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}}]
contexts: [{name: lab, context: {cluster: lab, user: $1}}]
current-context: lab
END
  )
}
