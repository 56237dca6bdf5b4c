# shellcheck shell=bash disable=SC2034,SC2154 # read and set by hack/image
# SPDX-License-Identifier: Apache-2.0
# The programs, and mount.nfs, which ordinal-csi runs, with exactly the shared libraries that they
# need. No shell, nothing else.

image_name=ordinal.dev/ordinal:$version
image_config='{"User": "65532:65532"}' # the manifests give the command

image_fill() {
  local program
  debian_root "$1"
  for program in ordinal-provisioner ordinal-csi ordinal-csi-helper; do
    [ -x "$build_dir/$program" ] || {
      echo "hack/image: there is no $build_dir/$program; build it by: make" >&2
      exit 1
    }
    cp "$build_dir/$program" "$1/usr/bin/$program"
  done
  programs_add "$1" "$1"/usr/bin/* "$(readlink -f "$(PATH=/usr/sbin:/sbin:$PATH command -v mount.nfs)")"
  # By NFSv3 mount.nfs asks the server, and statd, by RPC; without these it knows no transport.
  for program in netconfig protocols rpc services; do
    file_add "$1" /etc/$program
  done
}
