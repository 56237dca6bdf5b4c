# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# etcd, API server, controller manager, scheduler and DNS, in the lab's namespaces.

lab_service_range=10.96.0.0/16
lab_pod_range=10.244.0.0/16

# The minor version of the Kubernetes in use: 20 for 1.20.
kubernetes_minor() { kubelet --version | sed -E 's/^Kubernetes v1\.([0-9]+).*/\1/'; }

api() { kubectl --kubeconfig "$lab_kubeconfig" "$@"; }

control_plane() {
  pki_authority
  pki_certificate kube-apiserver /CN=kube-apiserver \
    "IP:$lab_address,IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  pki_certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
  pki_kubeconfig admin /O=system:masters/CN=admin "$lab_kubeconfig"
  pki_kubeconfig controller-manager /CN=system:kube-controller-manager "$pki/controller-manager.kubeconfig"
  pki_kubeconfig scheduler /CN=system:kube-scheduler "$pki/scheduler.kubeconfig"

  daemon etcd etcd --data-dir "$lab_scratch/etcd" --unsafe-no-fsync --auto-compaction-retention=1h
  daemon kube-apiserver kube-apiserver \
    --etcd-servers=http://127.0.0.1:2379 \
    --bind-address="$lab_address" --advertise-address="$lab_address" --secure-port=6443 \
    --tls-cert-file="$pki/kube-apiserver.crt" --tls-private-key-file="$pki/kube-apiserver.key" \
    --client-ca-file="$pki/ca.crt" \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --service-cluster-ip-range="$lab_service_range" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$pki/service-accounts.pub" \
    --service-account-signing-key-file="$pki/service-accounts.key" \
    --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
    --kubelet-preferred-address-types=InternalIP
  wait_for 60 api get --raw /readyz || {
    tail -n 20 "$lab_logs/kube-apiserver.log" "$lab_logs/etcd.log" >&2
    die "the API server did not become ready"
  }
  # Its own default limit of 20 requests a second would be the bottleneck of every test.
  daemon kube-controller-manager kube-controller-manager \
    --kubeconfig="$pki/controller-manager.kubeconfig" --leader-elect=false --bind-address=127.0.0.1 \
    --use-service-account-credentials=true --kube-api-qps=2000 --kube-api-burst=4000 \
    --service-account-private-key-file="$pki/service-accounts.key" --root-ca-file="$pki/ca.crt" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
  daemon kube-scheduler kube-scheduler \
    --kubeconfig="$pki/scheduler.kubeconfig" --leader-elect=false --bind-address=127.0.0.1 \
    --kube-api-qps=2000 --kube-api-burst=4000
  dns_start
  wait_for 60 api get serviceaccount default || {
    tail -n 20 "$lab_logs/kube-controller-manager.log" >&2
    die "the controller manager did not become ready"
  }
}
