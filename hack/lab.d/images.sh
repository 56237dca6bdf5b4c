# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Container images: every archive is kept in the lab, and loaded into nodes there are and to come.

# The two images that the lab itself brings.
images_make() {
  local name
  for name in pause busybox; do
    TMPDIR=$lab_run "$lab_dir/../image" $name -o "$lab_run/$name.tar" >/dev/null
    image_keep "$lab_run/$name.tar"
    rm "$lab_run/$name.tar"
  done
}

# image_keep FILE: put it into the lab under its image's name, so that a newer build replaces it.
image_keep() {
  local tag
  tag=$(tar -xOf "$1" manifest.json | jq -r '.[0].RepoTags[0]') || die "$1 is no docker archive"
  image_file=$lab_scratch/images/${tag//[^A-Za-z0-9._-]/_}.tar
  # shellcheck disable=SC2094 # two mount namespaces
  inside receive "$image_file" <"$1"
}

receive() {
  cat >"$1.new"
  mv "$1.new" "$1"
}

image_load() {
  local file node pid loading
  [ $# -gt 0 ] || usage_error "load-image needs at least one FILE.tar"
  for file in "$@"; do
    [ -f "$file" ] || usage_error "there is no file $file"
  done
  require_alive
  for file in "$@"; do
    image_keep "$file"
    loading=()
    for node in $(inside node_names); do
      image_load_into "$node" "$file" &
      loading+=($!)
    done
    for pid in "${loading[@]}"; do wait "$pid" || die "$file is not loaded everywhere"; done
  done
}

image_load_into() {
  inside node_enter "$1" ctr --namespace k8s.io images import "/run/lab/images/${image_file##*/}" >/dev/null
  say "$2 loaded into $1"
}
